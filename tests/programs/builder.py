# SPDX-License-Identifier: LGPL-2.1-or-later
"""A build on X:, by a tool that is there, too: a project is configured, its commands run four at a time in the folder of the build, then
nothing, then what a touched file asks for; the result is installed, and compared by a test."""
import os
import shutil
import tarfile

import packages
from programs import Run, expect, expect_equal

FILES = 12
ALSO = ("ninja",)
PROJECT = r"""
cmake_minimum_required(VERSION 3.20)
project(texts LANGUAGES NONE VERSION 1.2)
foreach(i RANGE %d)
  add_custom_command(OUTPUT text${i} DEPENDS text/${i}.txt
    COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/text/${i}.txt text${i})
  list(APPEND texts text${i})
endforeach()
add_custom_command(OUTPUT texts.tar DEPENDS ${texts} COMMAND ${CMAKE_COMMAND} -E tar cf texts.tar ${texts})
add_custom_target(archive ALL DEPENDS texts.tar)
configure_file(version.in version)
install(FILES ${CMAKE_BINARY_DIR}/texts.tar ${CMAKE_BINARY_DIR}/version DESTINATION lib)
""" % (FILES - 1)


def prepare(share):
    (share / "project/text").mkdir(parents=True)
    (share / "tools").mkdir()
    shutil.copy(packages.fetch("ninja"), share / "tools/ninja.exe")
    (share / "project/CMakeLists.txt").write_text(PROJECT, encoding="ascii")
    (share / "project/version.in").write_text("version @PROJECT_VERSION@\n", encoding="ascii")
    for i in range(FILES):
        (share / f"project/text/{i}.txt").write_text(f"text {i}\n", encoding="ascii")


def check_archive(share, text):
    with tarfile.open(share / "build/texts.tar") as archive:
        found = {member.name: archive.extractfile(member).read().decode("ascii").strip() for member in archive}
    expect_equal(found, {f"text{i}": f"text {i}" for i in range(FILES)} | text, "the archive")


def check_built(share, output):
    expect(f"[{FILES + 1}/{FILES + 1}]" in output, "all commands are run")
    check_archive(share, {})


def check_idle(share, output):
    expect("no work to do" in output, "nothing is done again")
    changed = share / "project/text/3.txt"
    changed.write_text("changed\n", encoding="ascii")
    os.utime(changed, (changed.stat().st_mtime + 10,) * 2)


def check_changed(share, output):
    expect("[2/2]" in output, "no more is done than has changed")
    check_archive(share, {"text3": "changed"})


def check_installed(share, _):
    expect_equal((share / "installed/lib/version").read_text(encoding="ascii"), "version 1.2\n", "what is configured")
    expect_equal((share / "installed/lib/texts.tar").read_bytes(), (share / "build/texts.tar").read_bytes(), "what is installed")


BUILD = ("--build", "X:/build", "-j", "4")
RUNS = (
    Run("cmake", ("-G", "Ninja", "-D", "CMAKE_MAKE_PROGRAM=X:/tools/ninja.exe", "-D", "CMAKE_INSTALL_PREFIX=X:/installed", "-S",
                  "X:/project", "-B", "X:/build")),
    Run("cmake", BUILD, check=check_built),
    Run("cmake", BUILD, check=check_idle),
    Run("cmake", BUILD, check=check_changed),
    Run("cmake", ("--install", "X:/build"), check=check_installed),
    Run("cmake", ("-E", "compare_files", "X:/build/text7", "X:/project/text/7.txt")),
)
