#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# "rdrlab run --audit" finds what a program leaves: the other tests here rely on it.
# usage: audit.sh RDRLAB
set -eu

rdrlab=$1
said=$(mktemp)
trap 'rm -f "$said"' EXIT

skip() {
    echo "skipped: $1"
    [ -z "${RDRLAB_REQUIRE_ALL:-}" ] || exit 1
    exit 77
}

command -v smbd >/dev/null || [ -x /usr/sbin/smbd ] || skip 'no smbd'
command -v wine >/dev/null || skip 'no Wine'

# expect STATUS TEXT BUILD COMMAND: TEXT "" for silence.
expect() {
    status=0
    "$rdrlab" run --audit --build "$3" -- cmd /c "$4" </dev/null >/dev/null 2>"$said" || status=$?
    [ "$status" -eq "$1" ] || { echo "$4 on $3: exit status $status, not $1"; cat "$said"; exit 1; }
    if [ -n "$2" ]; then
        grep -q -e "$2" "$said" || { echo "$4 on $3: no \"$2\" in:"; cat "$said"; exit 1; }
    elif grep -q -e --audit "$said"; then
        echo "$4 on $3: it complains:"
        cat "$said"
        exit 1
    fi
}

expect 1 '--audit: .* B of paged pool in 1 blocks' nt4-sp5 'type X:\& exit /b 0'
expect 0 '' nt4-sp6 'type X:\& exit /b 0'
expect 1 '--audit: .* 1 open files' nt4-sp6 'start /b ping -n 600 127.0.0.1 >X:\open'
# The program's own failure comes first.
expect 7 '--audit: .* B of paged pool' nt4-sp5 'type X:\& exit /b 7'
