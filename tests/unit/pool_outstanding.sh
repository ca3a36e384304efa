#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One random program that leaks (pool_outstanding.c), and who says what of it: the program itself, the pool's report,
# memcheck and LSan. What is left at each place must be the same blocks and bytes for all.
# usage: pool_outstanding.sh PROGRAM MALLOC-PROGRAM [LSAN-PROGRAM]
#        RDRLAB_POOL_SEED: another program   POOL_TELLS_MEMCHECK=no: the pool was built without valgrind's headers
set -euo pipefail

pool=$1 malloc=$2 lsan=${3:-}
seed=${RDRLAB_POOL_SEED:-20031}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skipped='' failed=''

skip() {
    echo "skipped: $*"
    skipped=yes
}

# told WHO FILE: the lines "place blocks bytes" that WHO printed into FILE.
told() { sed -n "s/^$1 //p" "$2"; }

# leaks FILE [pool]: the same out of a report of memcheck or LSan, all kinds of leaks together; pool: without what the
# pool itself has from the C library on behalf of a place.
leaks() {
    awk -v only="${2:-}" '
        / bytes in .* blocks? (is|are) .* in loss record / {
            line = $0
            gsub(/,/, "", line)
            sub(/^==[0-9]+== */, "", line)
            # "4560 (4000 direct 560 indirect) bytes in 3 blocks": what is indirect has a record of its own
            if (match(line, /\([0-9]+ direct/)) {
                split(substr(line, RSTART + 1), word, " ")
                bytes = word[1]
            } else {
                bytes = line + 0
            }
            match(line, /bytes in [0-9]+ block/)
            split(substr(line, RSTART), word, " ")
            blocks = word[3]
            next
        }
        /^(Direct|Indirect) leak of / { bytes = $4; blocks = $7; next }
        only == "pool" && / at 0x[0-9A-F]+: [a-z]*alloc / { blocks = 0 }
        match($0, / place_[0-9]+/) && blocks {
            place = substr($0, RSTART + 1, RLENGTH - 1)
            all_blocks[place] += blocks
            all_bytes[place] += bytes
            blocks = 0
        }
        END { for (place in all_blocks) print place, all_blocks[place], all_bytes[place] }' "$1" | sort
}

compare() { # WHO FILE
    if diff -u "$work/known" "$2" >"$work/diff"; then
        echo "$1 agrees: $(awk '{ blocks += $2; bytes += $3 } END { print blocks, "blocks,", bytes, "bytes" }' "$2")"
    else
        echo "$1 tells something else than the program:"
        cat "$work/diff"
        failed=yes
    fi
}

# memcheck WHO PROGRAM [pool]
memcheck() {
    valgrind --leak-check=full --show-leak-kinds=all --leak-resolution=high --num-callers=20 --log-file="$work/valgrind" \
        "$2" "$seed" >"$work/out"
    told known "$work/out" >"$work/known.again"
    cmp -s "$work/known" "$work/known.again" || { echo "$1: not the same program" && failed=yes; }
    leaks "$work/valgrind" "${3:-}" >"$work/found"
    compare "$1" "$work/found"
}

echo "seed $seed"
"$pool" "$seed" >"$work/out"
told known "$work/out" >"$work/known"
told pool "$work/out" >"$work/reported"
[ -s "$work/known" ] || { echo "the program told nothing" && exit 1; }
compare "the pool's report" "$work/reported"

if [ -z "$lsan" ]; then
    skip "LSan: this compiler has none"
elif LSAN_OPTIONS=detect_leaks=1:exitcode=23 "$lsan" "$seed" >"$work/out" 2>"$work/lsan" || [ $? -eq 23 ]; then
    leaks "$work/lsan" >"$work/found"
    compare "LSan, of malloc" "$work/found"
else
    skip "LSan does not run here: $(tail -n 1 "$work/lsan")"
fi
if command -v valgrind >/dev/null; then
    memcheck "memcheck, of malloc" "$malloc"
    if [ "${POOL_TELLS_MEMCHECK:-yes}" = yes ]; then
        memcheck "memcheck, of the pool" "$pool" pool
    else
        skip "memcheck, of the pool: there were no headers of valgrind when it was built"
    fi
else
    skip "no valgrind (package valgrind)"
fi

[ -z "$failed" ] || exit 1
if [ -n "$skipped" ]; then
    [ -z "${RDRLAB_REQUIRE_ALL:-}" ] || exit 1
    exit 77
fi
