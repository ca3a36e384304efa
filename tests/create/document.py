#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes docs/create-table.md from the table of creates, and what docs/fidelity.md says of creates.

usage: document.py FOLDER OUTPUT          writes OUTPUT, and the part of the fidelity.md beside it between its two marks
       document.py --check FOLDER OUTPUT  exit status 1 if they are not what would be written
"""
import pathlib
import sys

MARKS = ("<!-- Made by tests/create/document.py from tests/create/*.table: change those. -->\n",
         "<!-- The end of what it makes. -->\n")

HEADINGS = {
    "attributes": "Attributes",
    "delete": "Deleting",
    "dispositions": "Dispositions",
    "names": "Names",
    "parameters": "Parameters and access",
    "relative": "Relative names",
    "sharing": "Sharing",
    "unc": "UNC names",
    "win32": "Win32 names",
}
PEERS = (("smbd", "smbd itself"), ("smbc", "over libsmbclient"), ("nt1", "over libsmbclient in NT1 only"), ("wine", "under Wine"))
# What a reader wants to see of a row, as far as it is not the same for the whole section.
SHOWN = ("dos", "name", "root", "state", "access", "share", "disposition", "options", "attributes", "object", "bare",
         "allocation", "ea")


def words(text):
    """COLUMN=VALUE of a "with:" line."""
    return dict(word.split("=", 1) for word in text.split())


def read_sections(path):
    """[(comment, given, columns, rows)], a row being {column: value}."""
    sections, comment, given, columns = [], [], {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment.append(line[1:].strip())
        elif line.startswith("with:"):
            given = words(line[5:])
        elif line.startswith("columns:"):
            columns = ["id"] + line[8:].split()
            sections.append((" ".join(comment), given, columns, []))
        elif line:
            sections[-1][3].append(dict(zip(columns, line.split(None, len(columns) - 1))))
        else:
            comment = []
    return sections


def cell(text):
    return text.replace("|", "\\|")


def code(text):
    return "" if text in ("", "-") else f"`{cell(text)}`"


def answer(row, given):
    status = row.get("status", given.get("status", ""))
    information = row.get("information", given.get("information", "OPENED"))
    return status if status != "SUCCESS" else information


def differences(row, given):
    for column, _ in PEERS:
        value = row.get(column, given.get(column, "-"))
        if value != "-":
            yield column, *value.split(":", 1)


def write_section(out, comment, given, columns, rows):
    shown = [c for c in columns if c in SHOWN]
    differ = any(True for row in rows for _ in differences(row, given))
    given_text = ", ".join(f"{name} `{value}`" for name, value in given.items() if name in SHOWN)
    head = ["id", *shown, "NT", *(["elsewhere"] if differ else []), "source"]
    out.append(f"\n{comment}\n" + (f"Always: {given_text}.\n" if given_text else "") + "\n")
    out.append(f"| {' | '.join(head)} |\n|{'-|' * len(head)}\n")
    for row in rows:
        values = [row["id"], *(code(row[c]) for c in shown), answer(row, given)]
        if differ:
            values.append("; ".join(f"{peer}: {what} ({why})" for peer, why, what in differences(row, given)))
        values.append(cell(row.get("source", given.get("source", ""))))
        out.append(f"| {' | '.join(values)} |\n")


def write_counts(out, folder, tables):
    reasons = {}
    for line in (folder / "reasons.table").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            reason, claim = line.split(None, 1)
            reasons[reason] = claim
    counts = {}
    total = 0
    for sections in tables.values():
        for _, given, _, rows in sections:
            total += len(rows)
            for row in rows:
                for peer, why, _ in differences(row, given):
                    counts[why, peer] = counts.get((why, peer), 0) + 1
    unknown = {why for why, _ in counts} - set(reasons)
    if unknown:
        sys.exit(f"reasons.table lacks: {', '.join(sorted(unknown))}")
    over = sum(n for (_, peer), n in counts.items() if peer == "smbc")
    out.append(f"\n{total} creates. Over libsmbclient {over} of them ({100 * over / total:.1f} %) are answered otherwise.\n")
    out.append(f"\n| reason | {' | '.join(text for _, text in PEERS)} | claim |\n|{'-|' * (len(PEERS) + 2)}\n")
    for why, claim in reasons.items():
        numbers = " | ".join(str(counts.get((why, peer), 0)) for peer, _ in PEERS)
        out.append(f"| {why} | {numbers} | {claim} |\n")


def write_differences(out, tables):
    """What is answered otherwise, where and why: a line for each pair of answers."""
    alike = {}
    for sections in tables.values():
        for _, given, _, rows in sections:
            for row in rows:
                for peer, why, what in differences(row, given):
                    alike.setdefault((why, peer, answer(row, given), what), []).append(row["id"])
    out.append("\n| reason | where | NT | there | creates |\n|-|-|-|-|-|\n")
    names = dict(PEERS)
    for (why, peer, nt, what), rows in sorted(alike.items()):
        out.append(f"| {why} | {names[peer]} | {nt} | {what} | {', '.join(rows)} |\n")


def fidelity(path, folder, tables):
    """The text of PATH with the part between its marks made anew."""
    old = path.read_text(encoding="utf-8")
    if any(old.count(mark) != 1 for mark in MARKS):
        sys.exit(f"{path} lacks one of its marks, or has it twice: {' '.join(MARKS)}")
    out = [old[:old.index(MARKS[0])], MARKS[0]]
    write_counts(out, folder, tables)
    write_differences(out, tables)
    return "".join(out) + "\n" + old[old.index(MARKS[1]):]


MEASURED = "smbd 4.17 measured"


def check_measured(stem, sections):
    """What smbd is said to have answered must not be what it is said to answer otherwise."""
    for _, given, _, rows in sections:
        for row in rows:
            differs = [what for peer, why, what in differences(row, given)
                       if peer == "smbd" and what != "then" and why != "root"]
            if differs and MEASURED in row.get("source", given.get("source", "")):
                sys.exit(f"{stem}.table: {row['id']}: {MEASURED}, but smbd answers {differs[0]}")


def read_tables(folder):
    paths = sorted(p for p in folder.glob("*.table") if p.stem not in ("statuses", "reasons"))
    tables = {p.stem: read_sections(p) for p in paths}
    for stem, sections in tables.items():
        check_measured(stem, sections)
    return tables


def document(folder, tables):
    out = ["<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n",
           f"{MARKS[0]}# What NT answers to a create\n",
           "\nThe table that the machine is held to (tests/create/README.md says how to read its words). \"NT\" is the status without STATUS_,\n"
           "or of a success IoStatus.Information.\n"]
    write_counts(out, folder, tables)
    for stem, sections in tables.items():
        out.append(f"\n## {HEADINGS.get(stem, stem)}\n")
        for section in sections:
            write_section(out, *section)
    return "".join(out)


def main(arguments):
    check = arguments[:1] == ["--check"]
    if len(arguments) - check != 2:
        sys.exit(__doc__)
    folder, output = map(pathlib.Path, arguments[check:])
    tables = read_tables(folder)
    beside = output.with_name("fidelity.md")
    for path, text in ((output, document(folder, tables)), (beside, fidelity(beside, folder, tables))):
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is stale: tests/create/document.py tests/create docs/create-table.md")


main(sys.argv[1:])
