# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that lie on X: themselves: an archiver is started from there, in a directory there, by name and by a script; a runtime
loads an extension, a DLL, from there."""
import shutil
import zlib

import packages
from programs import Run, expect, expect_equal

ALSO = ("7za", "crc32")


def prepare(share):
    (share / "tools").mkdir()
    (share / "data").mkdir()
    shutil.copy(packages.fetch("7za"), share / "tools/7za.exe")
    shutil.copy(packages.fetch("crc32"), share / "tools/crc32.node")
    (share / "data/text").write_text("twelve bytes", encoding="ascii")
    (share / "pack.cmd").write_bytes(b"@tools\\7za.exe a again.7z data && tools\\7za.exe t again.7z\r\n")


def check_packed(name):
    def check(share, output):
        expect("Everything is Ok" in output, "it says that everything is ok")
        expect_equal((share / name).read_bytes()[:6], b"7z\xbc\xaf\x27\x1c", name)
    return check


def check_sum(_, output):
    expect_equal(output, f"{zlib.crc32(b'hello')}\n", "what it prints")


RUNS = (
    Run(r"X:\tools\7za.exe", ("a", "packed.7z", "data"), directory="X:\\", check=check_packed("packed.7z")),
    Run("cmd", ("/c", "pack.cmd"), directory="X:\\", check=check_packed("again.7z")),
    Run("node", ("-e", 'console.log(require("X:/tools/crc32.node").crc32("hello"))'), check=check_sum),
)
