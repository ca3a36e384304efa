#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The pool against other allocators and against the tools that find leaks, in one interleaved run: every allocator takes
# its turn, round after round, each run a process of its own. A machine's figures drift; only those of one run compare.
set -euo pipefail

usage() {
    cat <<'END'
usage: pool.sh [OPTIONS]

  --programs DIR      where pool-macro and the others are built; default: build/native/tests/bench of this tree
  --only W1,W2,...    these workloads
  --allocators A,...  these of: null macro exported stacks special glibc jemalloc mimalloc tcmalloc
                      ("ours": macro exported)
  --rounds N          default 7
  --quick             3 rounds, and a tenth of the operations
  --no-table          every run's figures instead of medians

ns an operation: processor time of W1 to W4, elapsed time of W5, W6 and of the tools. Exit status 1 if a pool did not
count exactly; a figure that is missed fails nothing.
END
}

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
programs=$here/../../build/native/tests/bench
workloads=W1,W2,W3,W4,W5,W6
allocators=null,macro,exported,stacks,special,glibc,jemalloc,mimalloc,tcmalloc
rounds=7 divisor=1 table=yes
while [ $# -gt 0 ]; do
    case $1 in
    --programs) programs=$2 && shift ;;
    --only) workloads=$2 && shift ;;
    --allocators) allocators=${2/ours/macro,exported} && shift ;;
    --rounds) rounds=$2 && shift ;;
    --quick) rounds=3 divisor=10 ;;
    --no-table) table=no ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
processors=$(taskset -cp $$ | sed 's/.*: //')
last_processor=${processors##*[,-]}

declare -A operations=([W1]=20000000 [W2]=2000000 [W3]=3000000 [W4]=10000000 [W5]=5000000 [W6]=2000000)
declare -A preload=([jemalloc]=libjemalloc.so.2 [mimalloc]=libmimalloc.so.2 [tcmalloc]=libtcmalloc_minimal.so.4)
declare -A package=([jemalloc]=libjemalloc2 [mimalloc]=libmimalloc2.0 [tcmalloc]=libtcmalloc-minimal4)

library() { ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }'; }

# Prints the command of an allocator, or fails with the reason why there is none.
command_of() {
    local path
    case $1 in
    null | macro | exported) echo "$programs/pool-$1" ;;
    stacks | special) echo "$programs/pool-macro" ;;
    glibc) echo "$programs/pool-malloc" ;;
    *)
        [ -n "${preload[$1]:-}" ] || { echo "no allocator of this name" >&2 && return 1; }
        path=$(library "${preload[$1]}")
        [ -n "$path" ] || { echo "no ${preload[$1]}; the package is ${package[$1]}" >&2 && return 1; }
        echo "env LD_PRELOAD=$path $programs/pool-malloc"
        ;;
    esac
}

# run ALLOCATOR WORKLOAD: one line of figures; nothing if there is no such combination.
run() {
    local option='' status=0
    case $1 in
    stacks | special)
        option=$1
        [[ $2 = W[12] ]] || return 0
        ;;
    null) [ "$2" != W4 ] || return 0 ;;
    esac
    local -a pin=()
    [[ $2 = W[56] ]] || pin=(taskset -c "$last_processor")
    local count=$((operations[$2] / divisor))
    [ "$option" != special ] || count=$((count / 100))
    # shellcheck disable=SC2086 # a command and its arguments
    "${pin[@]}" ${commands[$1]} "$2" $count $option >"$work/line" 2>"$work/errors" || status=$?
    case $status in
    0) echo "allocator=$1 $(cat "$work/line")" ;;
    77) echo "left out: $1: $(cat "$work/errors")" >&2 && left_out[$1]=1 ;;
    *)
        echo "$1 $2: exit status $status: $(cat "$work/errors")" >&2
        return 1
        ;;
    esac
}

declare -A commands=() left_out=()
chosen=()
for allocator in ${allocators//,/ }; do
    if commands[$allocator]=$(command_of "$allocator" 2>"$work/errors"); then
        chosen+=("$allocator")
    else
        echo "left out: $allocator: $(cat "$work/errors")" >&2
    fi
done

for ((round = 1; round <= rounds; round++)); do
    for workload in ${workloads//,/ }; do
        for allocator in "${chosen[@]}"; do
            [ -n "${left_out[$allocator]:-}" ] || run "$allocator" "$workload"
        done
    done
done >"$work/runs"

if [ "$table" = no ]; then
    cat "$work/runs"
else
    echo "ns an operation, median (minimum) of $rounds interleaved rounds"
    awk -v allocators="${chosen[*]}" -v workloads="${workloads//,/ }" -f "$here/pool.awk" "$work/runs"
fi
