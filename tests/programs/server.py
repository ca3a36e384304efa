# SPDX-License-Identifier: LGPL-2.1-or-later
"""A database server of many processes: it is made on X:, runs there, gets 20,000 rows and an index from a client, and is stopped; started
anew, it still has them."""
from programs import Run, expect, expect_equal

# What the rows look like whose text begins with "text 1": odd numbers up to 20,000 that begin with 1.
NUMBERS = [n for n in range(1, 20001, 2) if str(n).startswith("1")]
ROW = f"{len(NUMBERS)} {sum(NUMBERS)} text 1"
WRITE = ("CREATE TABLE numbers (n int PRIMARY KEY, t text); "
         "INSERT INTO numbers SELECT i, 'text ' || i FROM generate_series(1, 20000) i; "
         "CREATE INDEX ON numbers (t); DELETE FROM numbers WHERE n % 2 = 0; CHECKPOINT")
LOOK = "SELECT count(*), sum(n), min(t) FROM numbers WHERE t LIKE 'text 1%'"


def check_made(share, _):
    expect_equal((share / "database/PG_VERSION").read_text(encoding="ascii"), "15\n", "the version of the files")


def check_rows(share, output):
    expect(ROW in output.splitlines(), f"the rows: {ROW}")
    log = (share / "database/log").read_text(encoding="utf-8")
    expect(log.rstrip().endswith("database system is shut down") and "recovery" not in log, "an orderly end")
    expect(not (share / "database/postmaster.pid").exists(), "no server is left")


def serve(*statements):
    return Run("node", ("tests/programs/node/client.js", r"X:\database", *statements), beside=("pg_ctl",), check=check_rows)


RUNS = (
    Run("pg_ctl", ("initdb", "-D", r"X:\database", "-o", "-U owner -A trust --no-locale -E UTF8 --no-sync"), check=check_made),
    serve(WRITE, LOOK),
    serve(LOOK),
)
NOTES = ("""Newer builds of PostgreSQL in that package want a function of ntdll that Wine 8.0 has not.""",)
