#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes C of the catalogue: builds.list beside this file, and the folders of tests/cases (tests/cases/README.md).

usage: cases.py header FOLDER OUTPUT DEPFILE   the enumerators
       cases.py table FOLDER OUTPUT DEPFILE    builds and defects, for libntemu
       cases.py texts FOLDER OUTPUT DEPFILE    whole cases as JSON, with the lines of their switches, for rdrlab
       cases.py check FOLDER [NUMBER...]       nothing; the numbers are those that have a test in the build

Every mistake in a case is told on standard error, as FILE: KEY: WHAT, and the exit status is 1.
"""
import json
import pathlib
import re
import sys

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent
BUILDS = pathlib.Path(__file__).resolve().parent / "builds.list"

CLASSES = ("double-free", "exception", "irql", "leak", "overread", "overrun", "refcount", "timeout", "wrong-status")
DETECTORS = ("clock", "exception", "handles", "irql", "pool", "sessions", "special pool", "status", "verifier")
ACCESSES = ("attributes", "read", "read-write", "write")
SHARES = ("all", "none", "read", "write")
DISPOSITIONS = ("create", "create-always", "open", "open-always", "truncate")
LINES_AROUND = 8


class Mistake(Exception):
    pass


def builds():
    return [line for line in BUILDS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def line_of(build):
    return build.rpartition("-")[0]


# ---- what a value has to be: each takes key and value, and raises Mistake -----------------------------------------------

def text(key, value):
    if not isinstance(value, str) or not value.strip():
        raise Mistake(f"{key}: a text is wanted")


def boolean(key, value):
    if not isinstance(value, bool):
        raise Mistake(f"{key}: true or false is wanted")


def number(least, most):
    def check(key, value):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Mistake(f"{key}: a number from {least} to {most} is wanted")
    return check


def one_of(*values):
    def check(key, value):
        if value not in values:
            raise Mistake(f"{key}: {value!r} is none of {', '.join(values)}")
    return check


def matching(pattern, what):
    def check(key, value):
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Mistake(f"{key}: {value!r}: {what} is wanted")
    return check


def list_of(item, least=0):
    def check(key, value):
        if not isinstance(value, list) or len(value) < least:
            raise Mistake(f"{key}: a list{f' of at least {least}' if least else ''} is wanted")
        for index, entry in enumerate(value):
            item(f"{key}[{index}]", entry)
    return check


def map_of(name, item):
    def check(key, value):
        if not isinstance(value, dict):
            raise Mistake(f"{key}: an object is wanted")
        for entry, content in value.items():
            name(f"{key}.{entry}", entry)
            item(f"{key}.{entry}", content)
    return check


def record(required, optional=None):
    def check(key, value):
        if not isinstance(value, dict):
            raise Mistake(f"{key or 'the file'}: an object is wanted")
        known = {**required, **(optional or {})}
        prefix = f"{key}." if key else ""
        for entry in required:
            if entry not in value:
                raise Mistake(f"{prefix}{entry}: is missing")
        for entry, content in value.items():
            if entry not in known:
                raise Mistake(f"{prefix}{entry}: unknown; known are {', '.join(sorted(known))}")
            known[entry](f"{prefix}{entry}", content)
    return check


def amount(key, value):
    """A number, or {"min": N, "max": N} with either."""
    if isinstance(value, dict):
        record({}, {"min": number(0, 2**40), "max": number(0, 2**40)})(key, value)
        if not value:
            raise Mistake(f"{key}: min or max is wanted")
    else:
        number(0, 2**40)(key, value)


def parameter(key, value):
    if value is not None:
        matching("0x[0-9A-Fa-f]{1,16}", "a hexadecimal number or null")(key, value)


HEX = matching("0x[0-9A-Fa-f]{1,8}", "a hexadecimal number")
LETTER = matching("[D-Z]:", "a drive letter with its colon")
IDENTIFIER = matching("[a-z][a-z0-9-]*", "a word of small letters, digits and '-'")
BUILD = matching(r"[a-z0-9.]+-sp[0-9a]+(\+Q[0-9]{6})*", "a build")

# What each kind of step takes besides "do", "id" and "times".
STEPS = {
    "map": record({"do": text, "letter": LETTER}, {"id": IDENTIFIER, "share": text}),
    "unmap": record({"do": text, "letter": LETTER}, {"id": IDENTIFIER, "force": boolean}),
    "open": record({"do": text, "name": text},
                   {"id": IDENTIFIER, "handle": IDENTIFIER, "access": one_of(*ACCESSES), "share": one_of(*SHARES),
                    "disposition": one_of(*DISPOSITIONS), "directory": boolean, "times": number(1, 1000000)}),
    "read": record({"do": text, "handle": IDENTIFIER}, {"id": IDENTIFIER, "bytes": number(1, 65536)}),
    "write": record({"do": text, "handle": IDENTIFIER}, {"id": IDENTIFIER, "text": text}),
    "close": record({"do": text, "handle": IDENTIFIER}, {"id": IDENTIFIER}),
    "make-directory": record({"do": text, "name": text}, {"id": IDENTIFIER}),
    "attributes": record({"do": text, "name": text}, {"id": IDENTIFIER}),
    "delete": record({"do": text, "name": text}, {"id": IDENTIFIER}),
    "advance": record({"do": text, "seconds": number(1, 30 * 24 * 3600)}, {"id": IDENTIFIER}),
    "server": record({"do": text, "id": IDENTIFIER}),
}


def step(key, value):
    if not isinstance(value, dict) or value.get("do") not in STEPS:
        raise Mistake(f"{key}.do: one of {', '.join(sorted(STEPS))} is wanted")
    STEPS[value["do"]](key, value)


OBSERVABLES = record({}, {
    "bugcheck": record({"code": HEX}, {"parameters": list_of(parameter, 4), "stack": list_of(text, 1)}),
    "errors": map_of(IDENTIFIER, number(0, 0xffff)),
    "kept": map_of(IDENTIFIER, record({"pool": one_of("paged", "nonpaged"), "blocks": amount}, {"tag": text})),
    "seconds": map_of(IDENTIFIER, amount),
    "connects": map_of(IDENTIFIER, amount),
    "sessions": map_of(IDENTIFIER, amount),
    "trees": map_of(IDENTIFIER, amount),
    "files": map_of(IDENTIFIER, amount),
})

CASE = record({
    "number": matching("Q[0-9]{6}", "Q and six digits"),
    "title": text,
    "class": one_of(*CLASSES),
    "products": list_of(text, 1),
    "symptom": text,
    "cause": text,
    "switched": one_of("build", "number"),
    "builds": map_of(text, record({}, {"introduced": BUILD, "fixed": BUILD, "hotfix": BUILD})),
    "documented": list_of(text, 1),
    "observed": list_of(text),
    "guess": list_of(text),
    "switch": list_of(text, 1),
    "oracle": record({"detector": one_of(*DETECTORS), "defect": OBSERVABLES, "fixed": OBSERVABLES}),
    "reproduction": record({"steps": list_of(step, 1)}, {
        "twins": list_of(BUILD, 2),
        "server": one_of("locked", "memory", "samba"),
        "verifier": text,
        "registry": list_of(text, 1),
        "clock": one_of("real", "virtual", "idle"),
        "providers": list_of(text, 1),
        "session": number(1, 0xffff),
        "files": map_of(text, text),
    }),
}, {"see": list_of(text, 1)})


# ---- what the keys of one case have to do with each other --------------------------------------------------------------

def has_defect(case, build):
    """Written once more than in builds.c, for tests/cases/check.py to compare: everything else asks that."""
    base, *hotfixes = build.split("+")
    span = case["builds"].get(line_of(base))
    order = builds()
    if case["switched"] == "number" or span is None or case["number"] in hotfixes:
        return False
    since = order.index(span["introduced"]) if "introduced" in span else 0
    until = order.index(span["fixed"]) if "fixed" in span else len(order)
    return since <= order.index(base) < until


def check_builds(case):
    known = builds()
    if case["switched"] == "number" and case["builds"]:
        raise Mistake("builds: empty is wanted, as no build decides (switched: number)")
    if case["switched"] == "build" and not case["builds"]:
        raise Mistake("builds: a product line is wanted, or \"switched\": \"number\"")
    for line, span in case["builds"].items():
        mine = [build for build in known if line_of(build) == line]
        if not mine:
            raise Mistake(f"builds.{line}: no such line; there are {', '.join(sorted(set(map(line_of, known))))}")
        for key, build in span.items():
            if build not in mine:
                raise Mistake(f"builds.{line}.{key}: {build} is no build of the line; there are {', '.join(mine)}")
        if not any(has_defect(case, build) for build in mine):
            raise Mistake(f"builds.{line}: no build of the line has the defect")
        if "hotfix" in span and not has_defect(case, span["hotfix"]):
            raise Mistake(f"builds.{line}.hotfix: {span['hotfix']} has not the defect")


def twins(case):
    """The build with the defect and the fixed one that are run side by side unless the case says which."""
    known = builds()
    if "twins" in case["reproduction"]:
        return case["reproduction"]["twins"]
    if case["switched"] == "number":
        return ["nt4-sp6a", "nt4-sp6a"]
    line, span = next(iter(case["builds"].items()))
    having = [build for build in known if line_of(build) == line and has_defect(case, build)]
    if "fixed" in span:
        return [having[-1], span["fixed"]]
    if "hotfix" in span:
        return [having[-1], f"{having[-1]}+{case['number']}"]
    raise Mistake("reproduction.twins: is missing, and no fix in \"builds\" says which they are")


def check_twins(case):
    for index, build in enumerate(twins(case)):
        if build.split("+")[0] not in builds():
            raise Mistake(f"reproduction.twins[{index}]: no build {build}; there are {', '.join(builds())}")
        if case["switched"] == "build" and has_defect(case, build) != (index == 0):
            raise Mistake(f"reproduction.twins[{index}]: {build} {'has not' if index == 0 else 'has'} the defect")


def check_steps(case):
    handles, identifiers = set(), set()
    for index, entry in enumerate(case["reproduction"]["steps"]):
        key = f"reproduction.steps[{index}]"
        if entry["do"] == "open" and "handle" in entry:
            handles.add(entry["handle"])
        elif "handle" in entry and entry["handle"] not in handles:
            raise Mistake(f"{key}.handle: no step before opens {entry['handle']}")
        if entry["do"] == "advance" and case["reproduction"].get("clock", "real") == "real":
            raise Mistake(f"{key}: time can be advanced with a virtual \"clock\" only")
        if entry["do"] == "server" and case["reproduction"].get("server", "samba") != "samba":
            raise Mistake(f"{key}: sessions can be listed with \"server\": \"samba\" only")
        if "id" in entry:
            if entry["id"] in identifiers:
                raise Mistake(f"{key}.id: {entry['id']} is taken")
            identifiers.add(entry["id"])
    for side in ("defect", "fixed"):
        for kind, entries in case["oracle"][side].items():
            for entry in entries if kind != "bugcheck" else ():
                if entry not in identifiers:
                    raise Mistake(f"oracle.{side}.{kind}.{entry}: no step has this id")
    if not case["oracle"]["defect"]:
        raise Mistake("oracle.defect: what must be seen is missing")


def find_switches(case):
    """[{"file", "line", "text"}]: the lines around each place that asks for the defect."""
    found = []
    for name in case["switch"]:
        path = SOURCES / name
        if not path.is_file():
            raise Mistake(f"switch: {name}: no such file")
        lines = path.read_text(encoding="utf-8").splitlines()
        places = [index for index, line in enumerate(lines) if f"EMU_{case['number']}" in line]
        if not places:
            raise Mistake(f"switch: {name}: nothing there asks for EMU_{case['number']}")
        found += [excerpt(name, lines, index) for index in places]
    return found


def excerpt(name, lines, index):
    """From the comment before the place, or a few lines, to the end of its statement or a few lines; not out of the
    function."""
    first, last = index, index
    while first > 0 and index - first < LINES_AROUND and lines[first - 1] not in ("", "{", "}"):
        first -= 1
    for back in range(index, max(index - LINES_AROUND, 0), -1):
        if lines[back].strip().startswith("/*"):
            first = back
            break
    while last + 1 < len(lines) and last - index < LINES_AROUND and lines[last + 1] not in ("", "}"):
        last += 1
        if lines[last].strip() == "}" or (lines[last].endswith(";") and not lines[last - 1].endswith("{")):
            break
    strip = min(len(line) - len(line.lstrip()) for line in lines[first:last + 1] if line.strip())
    return {"file": name, "line": first + 1, "text": "\n".join(line[strip:] for line in lines[first:last + 1])}


# ---- the catalogue -----------------------------------------------------------------------------------------------------

def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise Mistake(f"{key}: is there twice")
    return dict(pairs)


def read_case(folder):
    path = folder / "case.json"
    try:
        if not path.is_file():
            raise Mistake("is missing")
        try:
            case = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=no_duplicates)
        except json.JSONDecodeError as error:
            raise Mistake(f"line {error.lineno}: {error.msg}") from error
        CASE("", case)
        if case["number"] != folder.name:
            raise Mistake(f"number: {case['number']} is in the folder {folder.name}")
        check_builds(case)
        check_twins(case)
        check_steps(case)
        test = f"test_{case['number'].lower()}.c"
        if not (folder / test).is_file():
            raise Mistake(f"{test}, the case's test, is missing")
        case["switches"] = find_switches(case)
        case["reproduction"]["twins"] = twins(case)
    except Mistake as mistake:
        print(f"{path.relative_to(SOURCES) if path.is_relative_to(SOURCES) else path}: {mistake}", file=sys.stderr)
        return None
    return case


def folders(root):
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and entry.name.startswith("Q"))


def read_catalogue(root):
    cases = [read_case(folder) for folder in folders(root)]
    if None in cases:
        sys.exit(1)
    return cases


# ---- C -----------------------------------------------------------------------------------------------------------------

NOTICE = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n/* Made by emu/builds/cases.py of tests/cases; not to be edited. */\n"


def c_string(value):
    return json.dumps(value) if value is not None else "NULL"


def c_long_string(value):
    """Of any length, in pieces that a compiler takes; JSON's escapes of what is not ASCII are taken apart."""
    quoted = "".join({"\\": "\\\\", '"': '\\"', "\n": "\\n"}.get(c, c) for c in value)
    pieces, piece = [], ""
    for char in quoted:
        piece += char
        if len(piece) >= 100 and char != "\\":
            pieces.append(piece)
            piece = ""
    return "\n".join(f'    "{part}"' for part in pieces + [piece])


def header(cases):
    out = NOTICE + "#ifndef NTEMU_DEFECTS_H\n#define NTEMU_DEFECTS_H\n\ntypedef enum _EMU_DEFECT {\n"
    out += "".join(f"    EMU_{case['number']}, /* {case['title']} */\n" for case in cases)
    return out + "    EMU_DEFECT_COUNT\n} EMU_DEFECT;\n\n#endif\n"


def c_span(line, span):
    first = next(build for build in builds() if line_of(build) == line)
    return (f"{{.Introduced = {c_string(span.get('introduced', first))}, .FixedIn = {c_string(span.get('fixed'))}, "
            f".HotfixOn = {c_string(span.get('hotfix'))}}}")


def table(cases):
    out = NOTICE + "#include <ntemu/builds.h>\n\n#include \"builds/builds.h\"\n\nconst char *const EmuBuildList[] = {\n"
    out += "".join(f"    {c_string(build)},\n" for build in builds())
    out += "    NULL,\n};\n\nconst EMU_DEFECT_INFO EmuDefects[EMU_DEFECT_COUNT] = {\n"
    for case in cases:
        spans = ", ".join(c_span(line, span) for line, span in case["builds"].items())
        out += (f"    [EMU_{case['number']}] = {{\n"
                f"        .Article = {c_string(case['number'])},\n"
                f"        .Title = {c_string(case['title'])},\n"
                f"        .Spans = {{{spans or '{NULL, NULL, NULL}'}}},\n"
                f"        .ByNumber = {'true' if case['switched'] == 'number' else 'false'},\n    }},\n")
    return out + "};\n"


def texts(cases):
    out = NOTICE + "#include \"cli/catalogue.h\"\n\n#include <stddef.h>\n\nconst char *const catalogue_texts[] = {\n"
    for case in cases:
        out += c_long_string(json.dumps(case, ensure_ascii=True)) + ",\n"
    return out + "    NULL,\n};\n"


def check(root, tested):
    """Each case has a test that is built, and each test a case."""
    there = [case["number"] for case in read_catalogue(root)]
    wrong = [f"tests/cases/{number}: not in the list in tests/cases/meson.build" for number in there if number not in tested]
    wrong += [f"tests/cases/meson.build: {number}: there is no such folder" for number in tested if number not in there]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "check":
        return check(pathlib.Path(arguments[1]), arguments[2:])
    if len(arguments) != 4 or arguments[0] not in ("header", "table", "texts"):
        print(__doc__, file=sys.stderr)
        return 2
    what, root, output, depfile = arguments[0], *map(pathlib.Path, arguments[1:])
    cases = read_catalogue(root)
    made = {"header": header, "table": table, "texts": texts}[what](cases)
    # What a case says but the enumerators do not is no reason to build everything anew.
    if not output.is_file() or output.read_text(encoding="utf-8") != made:
        output.write_text(made, encoding="utf-8")
    inputs = [root, BUILDS, pathlib.Path(__file__).resolve()] + folders(root)
    inputs += [folder / "case.json" for folder in folders(root)]
    inputs += [SOURCES / name for case in cases for name in case["switch"]] if what == "texts" else []
    depfile.write_text(f"{output}: {' '.join(str(path).replace(' ', chr(92) + ' ') for path in inputs)}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
