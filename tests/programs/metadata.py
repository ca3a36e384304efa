# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program in an interpreted language that lies on X: with its interpreter and hundreds of modules: it starts the interpreter as a child,
writes 40 pictures anew, with an author in them, renames them by what is in them, and lists it."""
import shutil
import struct
import zlib

import packages
from programs import Run, expect, expect_equal

PICTURES = 40
ALSO = ("exiftool",)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(shade):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + \
        chunk(b"IDAT", zlib.compress(8 * (b"\0" + bytes(8 * [shade])))) + chunk(b"IEND", b"")


def prepare(share):
    shutil.copytree(packages.fetch("exiftool").parent, share / "tools")
    for i in range(PICTURES):
        folder = share / f"pictures/folder {i % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.png").write_bytes(picture(i))


def check_written(share, output):
    expect(f"{PICTURES} image files updated" in output, "all are written")
    for i in range(PICTURES):
        found = (share / f"pictures/folder {i % 4}/{i}.png").read_bytes()
        expect(b"Ada" in found and len(found) > len(picture(i)), f"picture {i} has its author")
    expect(not [name for name in share.names() if name.endswith(("_original", "_exiftool_tmp"))], "nothing else is left")


def check_renamed(share, _):
    expect_equal(sorted(path.name for path in (share / "pictures").rglob("*.png")), sorted(f"Ada {i}.png" for i in range(PICTURES)), "names")


def check_listed(_, output):
    expect_equal(sum(line.endswith(",Ada,8x8") for line in output.splitlines()), PICTURES, "pictures in the list")


RUNS = (
    Run(r"X:\tools\exiftool.exe", ("-r", "-overwrite_original", "-Artist=Ada", r"X:\pictures"), check=check_written),
    Run(r"X:\tools\exiftool.exe", ("-r", "-filename<$artist %f.%e", r"X:\pictures"), check=check_renamed),
    Run(r"X:\tools\exiftool.exe", ("-r", "-csv", "-Artist", "-ImageSize", r"X:\pictures"), check=check_listed),
)
