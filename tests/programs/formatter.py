# SPDX-License-Identifier: LGPL-2.1-or-later
"""A formatter reads a tree of 150 modules with many threads and writes each of them anew; then it finds nothing left to do, and a linter
what is wrong with them."""
from programs import Run, expect, expect_equal

MODULES = 150


def prepare(share):
    for i in range(MODULES):
        folder = share / f"source/part {i % 9}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module{i}.js").write_text(f"function f{i}( x ){{ return x=={i} }}\n", encoding="ascii")


def check_formatted(share, output):
    expect(f"Formatted {MODULES} file(s)" in output, "all files are formatted")
    for i in range(MODULES):
        expect_equal((share / f"source/part {i % 9}/module{i}.js").read_bytes(), b"function f%d(x) {\n\treturn x == %d;\n}\n" % (i, i),
                     f"module {i}")


def check_linted(_, output):
    expect(f"Checked {MODULES} file(s)" in output, "all files are read")


RUNS = (
    Run("biome", ("format", "--write", "X:\\source"), check=check_formatted),
    Run("biome", ("format", "X:\\source"), check=lambda _, output: expect(f"Compared {MODULES} file(s)" in output, "nothing to do")),
    Run("biome", ("lint", "X:\\source"), status=1, check=check_linted),
)
