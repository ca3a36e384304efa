# SPDX-License-Identifier: LGPL-2.1-or-later
"""A database with a rollback journal: 20,000 rows, an index, a vacuum; a process that dies in the middle of a transaction, and the recovery;
two processes that lock each other out; three that write at once. The same with a write-ahead log, whose index all processes map."""
import contextlib
import pathlib
import shutil
import sqlite3
import tempfile

from programs import Run, expect, expect_equal

def ask(share, question, name="test.db"):
    """The database as SQLite on this side sees it."""
    with contextlib.closing(sqlite3.connect(share / name)) as database:
        return database.execute(question).fetchall()


def ask_copy(share, question, names):
    """A copy of the first of these files, with the others beside it: asking changes a log."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            shutil.copy(share / name, folder)
        return ask(pathlib.Path(folder), question, names[0])


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


def check_written(share, output, name):
    expect_equal(output, "written\n", "what it printed")
    expect_equal(ask(share, "PRAGMA integrity_check", name), [("ok",)], "integrity here")
    expect_equal(ask(share, "SELECT text, count(*) FROM numbers WHERE text LIKE 'by writer %' GROUP BY text", name),
                 [(f"by writer {writer}", 40) for writer in range(3)], "rows of the writers")


def check_together(share, output):
    check_written(share, output, "test.db")
    expect_equal(share.names(), ["test.db"], "files")


def check_wal(share, output):
    # Readers see what was committed when they began, while another one writes; a second writer is refused.
    expect_equal(output.split(), ["wal", "10000", "10000", "20000", "20001", "20001", "ok"], "what it printed")
    expect_equal(share.names(), ["test.db", "wal.db"], "files")
    expect_equal(ask(share, "PRAGMA journal_mode", "wal.db"), [("wal",)], "its mode here")
    expect_equal(ask(share, "SELECT count(*), sum(number) FROM numbers", "wal.db"), [(20001, 200010000 + 30001)], "rows here")


def check_wal_crashed(share, output):
    expect_equal(output.split(), ["20002"], "what it printed")
    expect_equal(share.names(), ["test.db", "wal.db", "wal.db-shm", "wal.db-wal"], "files")
    expect_equal(ask_copy(share, "SELECT count(*) FROM numbers", ("wal.db",)), [(20001,)], "rows of the file alone")
    expect_equal(ask_copy(share, "SELECT count(*) FROM numbers", ("wal.db", "wal.db-wal")), [(20002,)], "rows with the log")


def check_wal_recovered(share, output):
    expect_equal(output.split(), ["20002", "committed", "ok"], "what it printed")
    expect_equal(share.names(), ["test.db", "wal.db"], "files")


def check_wal_together(share, output):
    check_written(share, output, "wal.db")
    expect_equal(share.names(), ["test.db", "wal.db"], "files")


ENDED = (0, 1)  # what taskkill leaves a program with: Wine 8.0's, and Windows' and Wine 10.0's

RUNS = (
    Run("sqlite3", (r"X:\test.db",), input="sqlite/make.sql", check=check_made),
    Run("sqlite3", (r"X:\test.db",), input="sqlite/crash.sql", status=ENDED, check=check_crashed),
    Run("sqlite3", (r"X:\test.db", "SELECT count(*), sum(number) FROM numbers; PRAGMA integrity_check;"), check=check_recovered),
    Run("sqlite3", (r"X:\test.db",), input="sqlite/lock.sql", beside=("sqlite3",), check=check_locked),
    Run("node", ("tests/programs/node/together.js", r"X:\test.db"), beside=("sqlite3",), check=check_together),
    Run("sqlite3", (r"X:\wal.db",), input="sqlite/wal.sql", beside=("sqlite3",), check=check_wal),
    Run("sqlite3", (r"X:\wal.db",), input="sqlite/walcrash.sql", status=ENDED, check=check_wal_crashed),
    Run("sqlite3", (r"X:\wal.db", "SELECT count(*) FROM numbers; SELECT text FROM numbers WHERE number = 30004; PRAGMA integrity_check;"),
        check=check_wal_recovered),
    Run("node", ("tests/programs/node/together.js", r"X:\wal.db"), beside=("sqlite3",), check=check_wal_together),
)
