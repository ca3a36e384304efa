#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a test of an unmodified Windows program on X:, or writes the list of them.

usage: programs.py RDRLAB TEST
       programs.py --prepare TEST FOLDER      puts the files there that a test begins with
       programs.py --document FILE            writes docs/programs.md
       programs.py --check FILE TEST...       exit status 1 if it is stale, or the tests that Meson runs are not all

TEST is a module of this folder; README.md says what it has to have. Each of its commands runs on a machine of its own,
over a real smbd, under Wine, as "./testbed run" does it; the checks look at the files behind X: on this side.
Exit status 77: something is not here that this needs.
"""
import dataclasses
import importlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing

sys.dont_write_bytecode = True
import packages  # noqa: E402
import tried  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TESTS = sorted({path.stem for path in HERE.glob("*.py")} - {"packages", "programs", "tried"})
TIMEOUT = 120  # seconds a command may take, on a busy system


@dataclasses.dataclass
class Run:
    """A command: a name of PACKAGES or a Windows program's name, and its arguments."""
    program: str
    arguments: tuple
    input: str = ""  # a file of this folder
    status: int | tuple = 0  # or one of these
    check: typing.Callable = None  # called with the Share and the command's output
    beside: tuple = ()  # names of PACKAGES that the program finds in its PATH
    directory: str = ""  # that it begins in; else the test's own, which is none on X:


class Failed(Exception):
    """A check did not hold."""


class Share:
    """The folder behind X:."""

    def __init__(self, path):
        self.path = path

    def __truediv__(self, name):
        return self.path / name

    def names(self):
        """Of everything in it, with slashes."""
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*"))


def expect(holds, claim):
    """For the tests' checks."""
    if not holds:
        raise Failed(claim)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {found!r}, and not {wanted!r}")


def program_of(run):
    return str(packages.fetch(run.program)) if run.program in packages.PACKAGES else run.program


def where(run):
    return ("--directory", run.directory) if run.directory else ()


def environment_of(run):
    package = packages.PACKAGES.get(run.program)
    variables = dict(package.environment) if package else {}
    if run.beside:
        folders = [str(packages.fetch(name).parent) for name in run.beside]
        variables["WINEPATH"] = ";".join("Z:" + folder.replace("/", "\\") for folder in folders)
    return variables


def play(rdrlab, share, run):
    """Runs one command; its output goes to files, as some programs want no pipe of Wine's."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, \
            open(HERE / run.input if run.input else os.devnull, "rb") as given:
        command = [rdrlab, "run", "--audit", "--share", str(share.path), *where(run), "--", program_of(run), *run.arguments]
        done = subprocess.run(command, stdin=given, stdout=output, stderr=errors, timeout=TIMEOUT, check=False, cwd=packages.SOURCES,
                              env={**os.environ, **environment_of(run)})
        output.seek(0)
        errors.seek(0)
        said = output.read().decode("utf-8", "replace").replace("\r\n", "\n")
        complaints = errors.read().decode("utf-8", "replace").replace("\r\n", "\n")
    try:
        statuses = run.status if isinstance(run.status, tuple) else (run.status,)
        expect(done.returncode in statuses, f"exit status {done.returncode} is one of {statuses}")
        expect("--audit" not in complaints, "something is left on the machine")
        expect("rdrlabnp: " not in complaints, "the provider has nothing to complain about")
        if run.check:
            run.check(share, said)
    except Exception as error:
        print(f"{shlex.join(command)}\n{type(error).__name__}: {error}\n{said[-8000:]}{complaints[-8000:]}", file=sys.stderr)
        raise Failed from error
    print(f"ok: {run.program} {' '.join(run.arguments)}", flush=True)


def used_by(test):
    """The names of its packages."""
    names = [name for run in test.RUNS for name in (run.program, *run.beside)] + list(getattr(test, "ALSO", ()))
    return [name for name in dict.fromkeys(names) if name in packages.PACKAGES]


def prepare(test, share):
    if hasattr(test, "prepare"):
        test.prepare(share)


def missing(test):
    """What is not here, as a sentence, or None."""
    if not shutil.which("wine"):
        return "no Wine"
    if not (shutil.which("smbd") or os.path.exists("/usr/sbin/smbd")):
        return "no smbd"
    try:
        for name in used_by(test):
            packages.fetch(name)
    except packages.Unreachable as error:
        return str(error)
    return None


def main(rdrlab, name):
    test = importlib.import_module(name)
    reason = missing(test)
    if reason:
        required = os.environ.get("RDRLAB_REQUIRE_ALL")
        print(f"{'not to be skipped' if required else 'skipped'}: {reason}", file=sys.stderr)
        return 1 if required else 77
    with tempfile.TemporaryDirectory(prefix="rdrlab-program-") as folder:
        share = Share(pathlib.Path(folder))
        prepare(test, share)
        try:
            for run in test.RUNS:
                play(os.path.abspath(rdrlab), share, run)
        except (Failed, subprocess.TimeoutExpired) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


# ---- the document


def by_hand(run):
    """The command as somebody types it."""
    words = [f"{name}={shlex.quote(value)}"
             for name, value in (packages.PACKAGES[run.program].environment if run.program in packages.PACKAGES else ())]
    if run.beside:
        words.append('WINEPATH="Z:$(dirname $(tests/programs/packages.py %s))"' % run.beside[0])
    words += ["./testbed run --share SHARE", *(["--directory", shlex.quote(run.directory)] if run.directory else []), "--"]
    words.append(f'"$(tests/programs/packages.py {run.program})"' if run.program in packages.PACKAGES else shlex.quote(run.program))
    words += [shlex.quote(argument) for argument in run.arguments]
    if run.input:
        words.append(f"<tests/programs/{run.input}")
    return " ".join(words)


def document():
    out = ["<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n"
           "<!-- Made by tests/programs/programs.py: change the modules there. -->\n"
           "# Windows programs on X:\n\n"
           "Real programs, not one byte changed, that are run on every check: on a machine, under Wine, over a real smbd. What they made is\n"
           "then looked at on the Linux side, and the machine must have nothing left of them: no open file, no process, no block of pool.\n"
           "`meson test -C build/native --suite programs` runs all of them, as part of `./testbed check`.\n\n"
           "All were run on Debian 12 (Wine 8.0), and all but keyvalue and metadata on Debian 13 (Wine 10.0): they pass.\n\n"
           "| test | program | where from | what it does |\n|-|-|-|-|\n"]
    tests = [importlib.import_module(name) for name in TESTS]
    for test in tests:
        known = [packages.PACKAGES[name] for name in used_by(test)]
        programs = ", ".join([package.program for package in known] or [test.PROGRAM])
        sources = ", ".join([f"npm `{package.package}` {package.version}" + (", built from it with mingw-w64" if package.build else "")
                             for package in known] or [test.SOURCE])
        out.append(f"| {test.__name__} | {programs} | {sources} | {' '.join(test.__doc__.split())} |\n")
    out.append("\nThe archives are fetched from the npm registry into `build/native/programs`, and must have the hashes in\n"
               "`tests/programs/packages.py`. Adding one: [tests/programs/README.md](../tests/programs/README.md).\n\n"
               "## By hand\n\nThe same commands, over a folder SHARE, one after the other.\n")
    for test in tests:
        out.append(f"\n{test.__name__}:\n\n")
        if hasattr(test, "prepare"):
            out.append(f"    tests/programs/programs.py --prepare {test.__name__} SHARE\n")
        out += [f"    {by_hand(run)}\n" for run in test.RUNS]
    out.append("\n## Tried by hand\n\nOn no check: what these made on X: was compared with what they made in a local folder of Wine's.\n\n"
               "| program | where from | what it did | result |\n|-|-|-|-|\n")
    out += [f"| {' | '.join(row)} |\n" for row in tried.TRIED]
    notes = [" ".join(note.split()) for test in tests for note in getattr(test, "NOTES", ())]
    if notes:
        out.append("\n## What to know\n\n" + "".join(f"- {note}\n" for note in notes))
    return "".join(out)


def check_document(path, run):
    if sorted(run) != TESTS:
        sys.exit(f"tests/programs/meson.build has {' '.join(run)}, and the folder {' '.join(TESTS)}")
    if path.read_text(encoding="utf-8") != document():
        sys.exit(f"{path} is stale: tests/programs/programs.py --document docs/programs.md")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.modules["programs"] = sys.modules["__main__"]
    if sys.argv[1:2] == ["--document"] and len(sys.argv) == 3:
        pathlib.Path(sys.argv[2]).write_text(document(), encoding="utf-8")
    elif sys.argv[1:2] == ["--prepare"] and len(sys.argv) == 4 and sys.argv[2] in TESTS:
        prepare(importlib.import_module(sys.argv[2]), Share(pathlib.Path(sys.argv[3])))
    elif sys.argv[1:2] == ["--check"] and len(sys.argv) > 2:
        check_document(pathlib.Path(sys.argv[2]), sys.argv[3:])
    elif len(sys.argv) == 3 and sys.argv[2] in TESTS:
        sys.exit(main(*sys.argv[1:]))
    else:
        sys.exit(f"{__doc__}\ntests: {' '.join(TESTS)}")
