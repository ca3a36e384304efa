#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cases.py says to cases with a mistake each: file, key and what is wrong.

usage: test_schema.py CASES_PY FOLDER      FOLDER has Q235425, of which the wrong ones are made
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

# (how the case is changed, what is said)
MISTAKES = (
    (lambda case: case.pop("cause"), "cause: is missing"),
    (lambda case: case.update(colour="red"), "colour: unknown; known are"),
    (lambda case: case.update(number="Q000001"), "number: Q000001 is in the folder Q235425"),
    (lambda case: case.update(number="235425"), "Q and six digits is wanted"),
    (lambda case: case.update({"class": "odd"}), "class: 'odd' is none of"),
    (lambda case: case.update(title=" "), "title: a text is wanted"),
    (lambda case: case.update(documented=[]), "documented: a list of at least 1 is wanted"),
    (lambda case: case.update(switched="number"), "builds: empty is wanted"),
    (lambda case: case.update(builds={}), "builds: a product line is wanted"),
    (lambda case: case["builds"].update(os2={}), "builds.os2: no such line"),
    (lambda case: case["builds"]["nt4"].update(fixed="tse-sp6"), "builds.nt4.fixed: tse-sp6 is no build of the line"),
    (lambda case: case["builds"]["nt4"].update(fixed="nt4-sp2"), "builds.nt4: no build of the line has the defect"),
    (lambda case: case["builds"]["nt4"].update(hotfix="nt4-sp6a"), "builds.nt4.hotfix: nt4-sp6a has not the defect"),
    (lambda case: case.update(switch=["emu/rdr/nothing.c"]), "switch: emu/rdr/nothing.c: no such file"),
    (lambda case: case.update(switch=["emu/rdr/cleanup.c"]), "nothing there asks for EMU_Q235425"),
    (lambda case: case["oracle"].update(detector="luck"), "oracle.detector: 'luck' is none of"),
    (lambda case: case["oracle"].update(defect={}), "oracle.defect: what must be seen is missing"),
    (lambda case: case["oracle"]["defect"]["errors"].update(leter=1), "oracle.defect.errors.leter: no step has this id"),
    (lambda case: case["oracle"]["defect"]["errors"].update(letter="1"), "errors.letter: a number from 0 to 65535"),
    (lambda case: case["oracle"]["defect"].update(bugcheck={}), "oracle.defect.bugcheck.code: is missing"),
    (lambda case: case["oracle"]["defect"].update(bugcheck={"code": "0xA", "parameters": [1]}), "parameters: a list of at least 4"),
    (lambda case: case["oracle"]["defect"].update(seconds={"letter": {}}), "seconds.letter: min or max is wanted"),
    (lambda case: case["reproduction"].update(steps=[]), "reproduction.steps: a list of at least 1 is wanted"),
    (lambda case: case["reproduction"]["steps"].append({"do": "dance"}), "steps[4].do: one of"),
    (lambda case: case["reproduction"]["steps"].append({"do": "map"}), "steps[4].letter: is missing"),
    (lambda case: case["reproduction"]["steps"].append({"do": "read", "handle": "h"}), "no step before opens h"),
    (lambda case: case["reproduction"]["steps"].append({"do": "advance", "seconds": 1}), "with a virtual \"clock\" only"),
    (lambda case: case["reproduction"]["steps"].append({"do": "map", "letter": "Y:", "id": "name"}), "id: name is taken"),
    (lambda case: case["reproduction"].update(twins=["nt4-sp6", "nt4-sp6"]), "twins[0]: nt4-sp6 has not the defect"),
    (lambda case: case["reproduction"].update(twins=["nt4-sp9", "nt4-sp6"]), "twins[0]: no build nt4-sp9"),
)


def run(cases_py, folder, numbers):
    done = subprocess.run([cases_py, "check", folder, *numbers], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def main(cases_py, folder):
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary) / "Q235425"
        shutil.copytree(pathlib.Path(folder) / "Q235425", copy)
        good = (copy / "case.json").read_text(encoding="utf-8")

        def expect(what, text, says, numbers=("Q235425",)):
            (copy / "case.json").write_text(text, encoding="utf-8")
            status, told = run(cases_py, temporary, numbers)
            if (status == 0) != (says == "") or says not in told:
                failed.append(f"{what}: exit status {status}, {told!r}; expected {says!r}")

        expect("good", good, "")
        for index, (change, says) in enumerate(MISTAKES):
            case = json.loads(good)
            change(case)
            expect(f"mistake {index}", json.dumps(case), says)
        expect("no JSON", good[:-3], "case.json: line")
        expect("twice", good.replace('"title"', '"number"', 1), "number: is there twice")
        expect("not listed", good, "tests/cases/Q235425: not in the list in tests/cases/meson.build", ())
        expect("listed only", good, "Q111111: there is no such folder", ("Q235425", "Q111111"))
        (copy / "test_q235425.c").unlink()
        expect("no test", good, "test_q235425.c, the case's test, is missing")
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
