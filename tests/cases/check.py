#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what rdrlab says of every build and case with the cases' own data; README's table has all of them.

usage: check.py RDRLAB CASES_PY FOLDER
"""
import importlib.util
import json
import pathlib
import subprocess
import sys


def main(rdrlab, cases_py, folder):
    specification = importlib.util.spec_from_file_location("cases", cases_py)
    cases = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(cases)
    said = {case["number"]: case for case in json.loads(subprocess.check_output([rdrlab, "cases", "--json"]))}
    known = cases.read_catalogue(pathlib.Path(folder))
    wrong = [f"rdrlab knows {number}, which is no folder" for number in said.keys() - {case["number"] for case in known}]
    for case in known:
        if case["number"] not in said:
            wrong.append(f"rdrlab does not know {case['number']}")
            continue
        for build in cases.builds():
            has = build in said[case["number"]]["builds_with_it"]
            if has != cases.has_defect(case, build):
                wrong.append(f"{case['number']}: {build} {'has' if has else 'has not'} it, says rdrlab; its data says otherwise")
    readme = (cases.SOURCES / "README.md").read_text(encoding="utf-8")
    wrong += [f"README.md: its table has no {case['number']}" for case in known if f"| {case['number']} |" not in readme]
    print(f"{len(known)} cases, {len(cases.builds())} builds")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong or not known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
