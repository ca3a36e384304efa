#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# memcheck and AddressSanitizer watch the pool's blocks as they watch malloc's: a misuse is reported, right use is not.
# usage: pool_misuse.sh memcheck|asan PROGRAM
set -euo pipefail

checker=$1 program=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Exit status 0: nothing was reported.
watched() {
    if [ "$checker" = memcheck ]; then
        valgrind -q --leak-check=no --error-exitcode=9 "$program" "$@" >"$log" 2>&1
    else
        ASAN_OPTIONS=detect_leaks=0:exitcode=9 "$program" "$@" >"$log" 2>&1
    fi
}

if [ "$checker" = memcheck ] && ! command -v valgrind >/dev/null; then
    echo "no valgrind (package valgrind)"
    [ -z "${RDRLAB_REQUIRE_ALL:-}" ] || exit 1
    exit 77
fi
sizes=(24 100 240 300 1003 4096 10000) misuses=(after-free overrun)
if [ "$checker" = memcheck ]; then
    sizes=(100 300 10000) misuses+=(stale)
fi
failed=0
for bytes in "${sizes[@]}"; do
    status=0
    watched none "$bytes" || status=$?
    if [ $status -ne 0 ]; then
        echo "$bytes bytes, used rightly: exit status $status"
        cat "$log"
        failed=1
    fi
    for misuse in "${misuses[@]}"; do
        # Nothing is left over in blocks that fill what they take.
        [[ $misuse != overrun || ! $bytes =~ ^(24|4096)$ ]] || continue
        status=0
        watched "$misuse" "$bytes" || status=$?
        if [ $status -ne 9 ]; then
            echo "$bytes bytes, $misuse: exit status $status, and not a report"
            cat "$log"
            failed=1
        fi
    done
done
exit $failed
