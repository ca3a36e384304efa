#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What of the benchmark may fail a build: every workload must be counted exactly, and a pair must not take more
# instructions than it may. Instructions, unlike time, are the same on a busy machine.
# usage: pool_gate.sh exact PROGRAM...
#        pool_gate.sh instructions PROGRAM WORKLOAD AT-MOST
set -euo pipefail

exact() {
    local program workload
    for program in "$@"; do
        for workload in W1 W2 W3 W4 W5 W6; do
            "$program" $workload 100000
        done
    done
}

# refs PROGRAM WORKLOAD OPERATIONS: instructions of the whole process.
refs() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null | sed -n 's/.*Collected : //p'
}

instructions() {
    local few=20000 many=60000 at_most=$3 low high
    if ! command -v valgrind >/dev/null; then
        echo "no valgrind to count instructions with (package valgrind)"
        [ -z "${RDRLAB_REQUIRE_ALL:-}" ] || exit 1
        exit 77
    fi
    low=$(refs "$1" "$2" $few)
    high=$(refs "$1" "$2" $many)
    if [ -z "$low" ] || [ -z "$high" ]; then
        echo "valgrind counted nothing: does it run $1 $2?"
        exit 1
    fi
    # The workload runs a tenth of its operations first, to warm up; what is the same in both runs cancels out.
    awk -v low="$low" -v high="$high" -v operations=$(((many - few) * 11 / 10)) -v at_most="$at_most" -v what="$2" 'BEGIN {
        each = (high - low) / operations
        printf "%s: %.1f instructions an operation, %d allowed\n", what, each, at_most
        exit each > at_most
    }'
}

"$@"
