# SPDX-License-Identifier: LGPL-2.1-or-later
"""A database server of many processes: it is made on X:, runs there, gets 20,000 rows and an index from a client, and is stopped; started
anew, it still has them."""
from programs import Run, expect, expect_equal

# What the rows look like whose text begins with "text 1": odd numbers up to 20,000 that begin with 1.
NUMBERS = [n for n in range(1, 20001, 2) if str(n).startswith("1")]
ROW = f"{len(NUMBERS)} {sum(NUMBERS)} text 1"


def check(share, output):
    expect_equal(output.splitlines().count(ROW), 2, "times that the rows are found")
    expect_equal((share / "database/PG_VERSION").read_text(encoding="ascii"), "15\n", "the version of the files")
    log = (share / "database/log").read_text(encoding="utf-8")
    expect_equal(log.count("database system is shut down"), 2, "orderly ends")
    expect("recovery" not in log, "nothing to recover")
    expect(not (share / "database/postmaster.pid").exists(), "no server is left")


RUNS = (Run("node", ("tests/programs/node/client.js", r"X:\database"), beside=("pg_ctl",), check=check),)
NOTES = ("""Newer builds of PostgreSQL in that package want a function of ntdll that Wine 8.0 has not.""",)
