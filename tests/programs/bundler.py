# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bundler follows the imports of 200 modules in folders of X:, and writes one file with a source map to X:."""
import json

from programs import Run, expect, expect_equal

MODULES = 200


def prepare(share):
    for i in range(MODULES):
        folder = share / f"source/part{i % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        following = f"import {{value as next}} from '../part{(i + 1) % 10}/module{i + 1}';\n" if i + 1 < MODULES else "const next = '';\n"
        (folder / f"module{i}.ts").write_text(f"{following}export const value: string = 'module {i};' + next;\n", encoding="ascii")
    (share / "source/main.ts").write_text("import {value} from './part0/module0';\nconsole.log(value);\n", encoding="ascii")


def check(share, _):
    bundle = (share / "out/bundle.js").read_text(encoding="utf-8")
    expect(all(f'"module {i};"' in bundle for i in range(MODULES)), "every module is in the bundle")
    sources = json.loads((share / "out/bundle.js.map").read_text(encoding="utf-8"))["sources"]
    expect_equal(sorted(sources), sorted(["../source/main.ts", *(f"../source/part{i % 10}/module{i}.ts" for i in range(MODULES))]),
                 "the map's sources")


RUNS = (Run("esbuild", (r"X:\source\main.ts", "--bundle", "--sourcemap", r"--outfile=X:\out\bundle.js"), check=check),)
