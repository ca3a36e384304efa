# SPDX-License-Identifier: LGPL-2.1-or-later
"""A database with a rollback journal: 20,000 rows, an index, a vacuum; a process that dies in the middle of a transaction, and the recovery;
two processes that lock each other out; three that write at once."""
import contextlib
import sqlite3

from programs import Run, expect, expect_equal

NOTES = (
    "SQLite's `journal_mode = wal` gave the right rows and a whole database between two processes of one machine. On standard error the provider "
    "says that changes of a mapped file are lost: those of the `-shm` file, where SQLite holds byte-range locks, which in NT do not "
    "hold for what is written through a mapping.",
)


def ask(share, question):
    """The database as SQLite on this side sees it."""
    with contextlib.closing(sqlite3.connect(share / "test.db")) as database:
        return database.execute(question).fetchall()


def check_made(share, output):
    expect_equal(output.split(), ["delete", "20000", "ok"], "what it printed")
    expect_equal(ask(share, "PRAGMA integrity_check"), [("ok",)], "integrity here")
    expect_equal(ask(share, "SELECT count(*), sum(number) FROM numbers"), [(20000, 200010000)], "rows here")
    expect_equal(share.names(), ["test.db"], "files")


def check_crashed(share, output):
    expect("still there" not in output, "it has been ended")
    expect(b"lost" in (share / "test.db").read_bytes(), "the file has been changed by the transaction")
    expect((share / "test.db-journal").stat().st_size > 512, "the journal of the transaction is there")


def check_recovered(share, output):
    expect_equal(output.split(), ["20000|200010000", "ok"], "what it printed")
    expect_equal(share.names(), ["test.db"], "files")


def check_locked(share, output):
    expect_equal(output.split("\n")[:-1], ["20000", "20000", "20001", "20002"], "what it printed")
    expect_equal(ask(share, "SELECT count(*) FROM numbers"), [(20002,)], "rows here")


def check_together(share, output):
    expect_equal(output, "written\n", "what it printed")
    expect_equal(ask(share, "PRAGMA integrity_check"), [("ok",)], "integrity here")
    expect_equal(ask(share, "SELECT text, count(*) FROM numbers WHERE text LIKE 'by writer %' GROUP BY text"),
                 [(f"by writer {writer}", 40) for writer in range(3)], "rows of the writers")
    expect_equal(share.names(), ["test.db"], "files")


RUNS = (
    Run("sqlite3", (r"X:\test.db",), input="sqlite/make.sql", check=check_made),
    Run("sqlite3", (r"X:\test.db",), input="sqlite/crash.sql", check=check_crashed),
    Run("sqlite3", (r"X:\test.db", "SELECT count(*), sum(number) FROM numbers; PRAGMA integrity_check;"), check=check_recovered),
    Run("sqlite3", (r"X:\test.db",), input="sqlite/lock.sql", beside=("sqlite3",), check=check_locked),
    Run("node", ("tests/programs/node/together.js", r"X:\test.db"), beside=("sqlite3",), check=check_together),
)
