#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a create costs, end to end, each figure against its pair in one interleaved run:
#   failing CreateFile("X:") against CreateFile of a missing name in an empty folder of C:, in one process, call by call
#   open and close of a file through Wine, machine and smbd against a plain libsmbclient loop on the same smbd
#   CloseHandle followed by an exclusive open at once: sharing violations
#   1,000,000 failing opens on nt4-sp6: the daemon's resident memory before and after
# usage: create.sh RDRLAB WIN64_DIR OPENLOOP [ROUNDS]
set -euo pipefail

rdrlab=$1 programs=$2/tests/wine openloop=$3 rounds=${4:-9}
if [ -z "$2" ] || [ ! -e "$programs/createbench.exe" ]; then
    echo "no createbench.exe: give the Windows half's build folder (-Dwin64_dir)" >&2
    exit 77
fi
work=$(mktemp -d)
machine=
finish() {
    [ -z "$machine" ] || rmdir "$(dirname "$machine")/prefix/drive_c/bench-empty" || true
    [ -z "$machine" ] || "$rdrlab" stop --machine "$machine" >/dev/null
    rm -rf "$work"
}
trap finish EXIT

"$rdrlab" repro --keep --build nt4-sp6 --name X: --opens 10 --chart "$work/chart" >"$work/repro"
machine=$(sed -n 's/.* stop --machine //p' "$work/repro")
lab=$(dirname "$machine")
port=$(sed -n 's/^ *smb ports *= *//p' "$lab/smbd/smb.conf")
echo probe >"$lab/share/bench.txt"
mkdir "$lab/prefix/drive_c/bench-empty"

bench() { # through Wine; X: is taken and given back by each
    "$rdrlab" run --machine "$machine" --letter Y -- "$programs/createbench.exe" X: '\\127.0.0.1\lab' "$@"
}
field() { sed -n "s/.*$1=\([0-9.]*\).*/\1/p"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

bench fail 'C:\bench-empty' 20000 1 | tee "$work/fail"
for _ in $(seq "$rounds"); do
    "$openloop" "smb://127.0.0.1:$port/lab/bench.txt" "$(id -un)" "$lab/smbd/password" 1 | field rate >>"$work/plain"
    bench open bench.txt 1 | field rate >>"$work/through"
done
plain=$(median <"$work/plain") through=$(median <"$work/through")
awk -v a="$through" -v b="$plain" -v n="$rounds" \
    'BEGIN { printf "open rounds=%d through=%.0f/s libsmbclient=%.0f/s ratio=%.2f\n", n, a, b, a / b }'
bench reopen bench.txt 10000

pid=$(pgrep -f "rdrlabd .*--dir $machine" | head -1)
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
leak() {
    "$rdrlab" run --machine "$machine" --letter Y -- "$programs/createleak.exe" X: '\\127.0.0.1\lab' /name:X: "/opens:$1" /disconnect \
        >"$work/leak"
}
leak 1000
before=$(resident)
leak 1000000
echo "million opens=1000000 resident_kb_before=$before resident_kb_after=$(resident)"
