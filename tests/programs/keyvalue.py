# SPDX-License-Identifier: LGPL-2.1-or-later
"""A key-value store that reads its file through a mapping and writes it by WriteFile: 5,000 rows in 50 transactions, which come back whole
and in their order, also from a compacted copy."""
from programs import Run, expect_equal

ROWS = [(f"key{i:06}", f"value {i} " + i % 200 * "x") for i in range(5000)]
HEADER = "VERSION=3\nformat=print\ntype=btree\nmapsize=20971520\nHEADER=END\n"


def prepare(share):
    (share / "database").mkdir()
    (share / "copy").mkdir()
    (share / "rows").write_text(HEADER + "".join(f" {key}\n {value}\n" for key, value in ROWS) + "DATA=END\n", encoding="ascii")


def check_rows(_, output):
    lines = [line[1:] for line in output.splitlines() if line.startswith(" ")]
    expect_equal(len(lines) // 2, len(ROWS), "rows")
    expect_equal(next((pair for pair in zip(zip(lines[::2], lines[1::2]), ROWS) if pair[0] != pair[1]), None), None, "the first wrong row")


def check_size(share, _):
    expect_equal((share / "database/data.mdb").stat().st_size, 20971520, "the size of the file")


RUNS = (
    Run("mdb_load", ("-f", r"X:\rows", r"X:\database"), check=check_size),
    Run("mdb_dump", ("-p", r"X:\database"), beside=("mdb_load",), check=check_rows),
    Run("mdb_copy", ("-c", r"X:\database", r"X:\copy"), beside=("mdb_load",)),
    Run("mdb_dump", ("-p", r"X:\copy"), beside=("mdb_load",), check=check_rows),
)
