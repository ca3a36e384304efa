# SPDX-License-Identifier: LGPL-2.1-or-later
"""A compiler that is itself on X: reads a project of 100 modules there, writes code, declarations and source maps there, and then does nothing
as nothing has changed; what it made runs from X:."""
import json
import shutil

import packages
from programs import Run, expect_equal

ALSO = ("typescript",)
MODULES = 100


def prepare(share):
    shutil.copytree(packages.fetch("typescript").parent, share / "typescript", ignore=lambda folder, names: [
        name for name in names if "." not in name])
    (share / "project").mkdir()
    for i in range(MODULES):
        last = i + 1 == MODULES
        (share / f"project/module{i}.ts").write_text(
            ("" if last else f"import {{sum as rest}} from './module{i + 1}';\n") +
            f"export interface Start{i} {{ start: number }}\n"
            f"export function sum(from: Start{i}): number {{ return from.start + {0 if last else f'rest({{start: {i}}})'}; }}\n",
            encoding="ascii")
    (share / "project/main.ts").write_text("import {sum} from './module0';\nconsole.log(sum({start: 1}));\n", encoding="ascii")
    (share / "project/tsconfig.json").write_text(json.dumps({"compilerOptions": {
        "outDir": "out", "target": "es2020", "module": "commonjs", "strict": True, "declaration": True, "sourceMap": True,
        "incremental": True}}), encoding="ascii")


def made(share):
    return {path.name: path.stat().st_mtime_ns for path in (share / "project/out").iterdir()}


def check(share, _):
    expect_equal(sorted(made(share)),
                 sorted([f"{name}.{kind}" for name in ("main", *(f"module{i}" for i in range(MODULES))) for kind in ("js", "js.map", "d.ts")] +
                        ["tsconfig.tsbuildinfo"]), "files")
    check.made = made(share)


def check_again(share, _):
    expect_equal(made(share), check.made, "files and times after the second run")


def check_ran(_, output):
    expect_equal(output, f"{1 + sum(range(MODULES - 1))}\n", "what it prints")


COMPILE = (r"X:\typescript\tsc.js", "--project", r"X:\project")
RUNS = (
    Run("node", COMPILE, check=check),
    Run("node", COMPILE, check=check_again),
    Run("node", (r"X:\project\out\main.js",), check=check_ran),
)
