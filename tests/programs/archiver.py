# SPDX-License-Identifier: LGPL-2.1-or-later
"""An archiver packs a tree of 2,000 files, tests the archive and unpacks it: contents, names and times come back."""
import os
import random
import zipfile

from programs import Run, expect, expect_equal

FILES = 2000


def prepare(share):
    """The same tree every time; its times are whole seconds, which every format keeps."""
    dice = random.Random(1)
    for i in range(FILES):
        folder = share / f"tree/folder {i % 40}/Größe {i % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {i}.txt").write_bytes(dice.randbytes(dice.randrange(4000)))
        os.utime(folder / f"file {i}.txt", (1e9 + 60 * i, 1e9 + 60 * i))


def contents(folder):
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime)
            for path in folder.rglob("*") if path.is_file()}


def check_unpacked(share, output):
    expect("Everything is Ok" in output, "it says that everything is ok")
    packed, unpacked = contents(share / "tree"), contents(share / "out/tree")
    expect_equal(len(unpacked), FILES, "files unpacked")
    expect_equal(sorted(unpacked), sorted(packed), "names")
    wrong = [name for name, found in unpacked.items() if found != packed[name]]
    expect(not wrong, f"{len(wrong)} files with another content or time: {wrong[:3]}")


def check_zip(share, output):
    expect("Everything is Ok" in output, "it says that everything is ok")
    with zipfile.ZipFile(share / "tree.zip") as archive:
        expect(archive.testzip() is None, "a whole archive")
        expect_equal(sum(not name.endswith("/") for name in archive.namelist()), FILES, "files in the archive")


RUNS = (
    Run("7za", ("a", r"X:\tree.7z", r"X:\tree")),
    Run("7za", ("t", r"X:\tree.7z"), check=lambda share, output: expect(f"Files: {FILES}\n" in output, "all files tested")),
    Run("7za", ("x", r"X:\tree.7z", r"-oX:\out"), check=check_unpacked),
    Run("7za", ("a", r"X:\tree.zip", r"X:\tree"), check=check_zip),
)
