# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scripting runtime's file functions: folders, positions, appending, stat, times, truncating, renaming, copying, attributes, removing
trees, current directory, names of all kinds, deep folders, 5 GiB, 1,500 names, streams, 400 files at once, watching, a child process."""
from programs import Run, expect, expect_equal

NOTES = (
    "Node.js opens no standard stream that is a pipe of Linux's (`EINVAL`, under any Wine 8.0): send its output to a file or a "
    "terminal.",
    "Hard links are refused (`ENOTSUP`): libsmbclient makes none.",
)


def check(share, output):
    expect(" 0 failed" in output, "no part failed")
    expect_equal((share / "text").read_text(), "one\ntwo\n", "text")
    expect_equal((share / "name with blanks, äöü 日本").read_text(), "names", "the file with the long name")
    expect_equal((share / "positions").read_bytes(), b"abXYef\0\0\0\0end", "positions")
    expect_equal((share / "appended").read_text(), "".join(f"line {i}\n" for i in range(100)), "appended")
    expect_equal((share / "times").stat().st_mtime, 1234567890, "times")
    expect_equal((share / "shorter").read_text(), "0123", "shorter")
    expect_equal((share / "longer").read_bytes(), b"0123456789".ljust(20000, b"\0"), "longer")
    expect_equal((share / "THERE").read_text(), "moved", "THERE")
    expect_equal((share / "into/to/f").read_text(), "f", "into/to/f")
    expect((share / "original").read_bytes() == (share / "copy").read_bytes(), "the copy is equal")
    expect_equal((share / "real/relative").read_text(), "relative", "real/relative")
    expect_equal(len(list((share / "many").iterdir())), 1500, "names in many")
    expect_equal((share / "stream copy").read_bytes(), b"".join(i.to_bytes(4, "little") for i in range(0, 8 << 20, 4)), "stream copy")
    expect_equal({path.name: path.read_text() for path in (share / "together").iterdir()},
                 {f"{i}.txt": f"content {i}!" for i in range(0, 400, 2)}, "together")
    names = {path.name: path.read_text() for path in (share / "names").iterdir()}
    expect_equal(names.pop("Case"), "second", "names/Case")
    expect_equal(len(names), 18, "names in names")
    expect_equal([name for name, content in names.items() if content != name], [], "names of another content")
    expect_equal((share / "/".join(["deep"] + 8 * [60 * "x"] + ["f"])).read_text(), "deep", "the deep file")
    with open(share / "far", "rb") as file:
        file.seek(5 << 30)
        expect_equal(file.read(), b"end", "what is behind 5 GiB")
    gone = {"old", "there", "from", "gone", "tree", "open", "read-only"} & {path.name for path in share.path.iterdir()}
    expect(not gone, f"removed, and there: {gone}")


RUNS = (Run("node", ("tests/programs/node/files.js", "X:\\"), check=check),)
