#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What reading, writing and listing on the redirected drive cost, against plain libsmbclient on the same smbd and against
# a local folder of Wine, in turns: sequential blocks of 64 KiB, 4 KiB at random, a listing of 10,000 names, open, read
# and close of 10,000 small files, and 2,000 small files made as an archiver does. Each figure is a median, each ratio
# one of medians.
# usage: files.sh RDRLAB WIN64_DIR FILELOOP [ROUNDS [BLOCKS]]
set -euo pipefail

rdrlab=$1 programs=$2/tests/wine fileloop=$3 rounds=${4:-5} blocks=${5:-4096}
if [ -z "$2" ] || [ ! -e "$programs/filebench.exe" ]; then
    echo "no filebench.exe: give the Windows half's build folder (-Dwin64_dir)" >&2
    exit 77
fi
work=$(mktemp -d)
machine=
finish() {
    [ -z "$machine" ] || rm -rf "$(dirname "$machine")/prefix/drive_c/bench-files"
    [ -z "$machine" ] || "$rdrlab" stop --machine "$machine" >/dev/null
    rm -rf "$work"
}
trap finish EXIT

"$rdrlab" repro --keep --build nt4-sp6 --name X: --opens 10 --chart "$work/chart" >"$work/repro"
machine=$(sed -n 's/.* stop --machine //p' "$work/repro")
lab=$(dirname "$machine")
port=$(sed -n 's/^ *smb ports *= *//p' "$lab/smbd/smb.conf")
for folder in "$lab/share/many" "$lab/prefix/drive_c/bench-files/many"; do
    mkdir -p "$folder"
    for i in $(seq -f %05.0f 0 9999); do
        echo "small file $i" >"$folder/f$i"
    done
done

calls=("write=$blocks" "read=$blocks" random=20000 list=10000 small=10000 unpack=2000 remove=1)
through() { "$rdrlab" run --machine "$machine" --letter X -- "$programs/filebench.exe" 'X:' "${calls[@]}"; }
local_folder() { "$rdrlab" run --machine "$machine" --letter X -- "$programs/filebench.exe" 'C:\bench-files' "${calls[@]}"; }
plain() { "$fileloop" "smb://127.0.0.1:$port/lab" "$(id -un)" "$lab/smbd/password" SMB3_11 "${calls[@]}"; }

for round in $(seq "$rounds"); do
    for way in plain through local_folder; do
        "$way" | sed -n "s/^\([a-z]*\) .*rate=\([0-9.]*\).*/$way \1 \2/p" >>"$work/rates"
    done
done
awk -v rounds="$rounds" '
    { values[$1, $2] = values[$1, $2] " " $3 }
    function median(list, n, v, i, j, t) {
        n = split(list, v, " ")
        for (i = 2; i <= n; i++) {
            t = v[i]
            for (j = i - 1; j > 0 && v[j] + 0 > t + 0; j--)
                v[j + 1] = v[j]
            v[j + 1] = t
        }
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    END {
        count = split("write read random list small unpack", what, " ")
        split("MiB/s MiB/s reads/s names/s files/s files/s", unit, " ")
        printf "%-7s %-8s %10s %13s %10s  %s\n", "rounds=" rounds, "", "drive", "libsmbclient", "local", "drive/libsmbclient"
        for (i = 1; i <= count; i++) {
            a = median(values["through", what[i]])
            b = median(values["plain", what[i]])
            c = median(values["local_folder", what[i]])
            printf "%-7s %-8s %10.0f %13.0f %10.0f  %.2f\n", what[i], unit[i], a, b, c, a / b
        }
    }' "$work/rates"
