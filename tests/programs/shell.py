# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wine's cmd.exe runs a script on X:: copy, xcopy, ren, del, move, for, if exist, pushd, type, dir, redirection, a second script, an exit status."""
from programs import HERE, Run, expect_equal

PROGRAM = "cmd.exe, xcopy.exe"
SOURCE = "Wine"


def prepare(share):
    (share / "script.cmd").write_bytes((HERE / "cmd/script.cmd").read_bytes().replace(b"\n", b"\r\n"))
    (share / "called.cmd").write_bytes(b"@echo called with %1\r\n")


def check(share, output):
    numbers = [f"{i}.num" for i in range(1, 21)]
    kept = [name for name in numbers if not name.startswith("1")]
    inner = sorted(["here.txt", *numbers])
    expect_equal(output.splitlines(), ["one", "two", "word one", "word two", "renamed is there", "copy is gone", "X:\\made\\inner", "X:\\",
                                       "called with argument", "read-only stays"], "what it printed")
    expect_equal(share.names(), sorted([
        "called.cmd", "copied", "copied/both.txt", "copied/inner", *(f"copied/inner/{name}" for name in inner), "copied/one.txt",
        "copied/renamed.txt", "list.txt", "listing.txt", "made", "made/inner", "made/inner/here.txt",
        *(f"made/inner/{name}" for name in kept), "made/one.txt", "made/renamed.txt", "moved.txt", "script.cmd"]), "names")
    both = b"one\r\ntwo\r\n"
    for name, content in {"made/one.txt": both, "copied/one.txt": both, "made/renamed.txt": both, "moved.txt": both + both + b"\x1a",
                          "copied/both.txt": both + both + b"\x1a", "made/inner/here.txt": b"below\r\n", "copied/inner/20.num": b"20\r\n",
                          "listing.txt": b"both.txt\r\ninner\r\none.txt\r\nrenamed.txt\r\n"}.items():
        expect_equal((share / name).read_bytes(), content, name)
    expect_equal(sorted((share / "list.txt").read_text().split()), [rf"made\{name}.txt" for name in ("both", "one", "renamed")], "list.txt")


RUNS = (Run("cmd", ("/c", r"X:\script.cmd", "argument"), status=3, check=check),)
