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
  --allocators A,...  these of: null macro exported stacks special glibc jemalloc mimalloc tcmalloc, and of the tools,
                      which watch glibc's: lsan asan heaptrack memcheck ("ours": macro exported)
  --rounds N          default 7
  --quick             3 rounds, and a tenth of the operations
  --no-table          every run's figures instead of medians

ns an operation: processor time of W1 to W4; elapsed time of W5 and W6, and where heaptrack's factor is looked for. Exit status 1 if a pool did not
count exactly; a figure that is missed fails nothing.
END
}

here=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)
programs=$here/../../build/native/tests/bench
workloads=W1,W2,W3,W4,W5,W6
allocators=null,macro,exported,stacks,special,glibc,jemalloc,mimalloc,tcmalloc,lsan,asan,heaptrack,memcheck
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

# What is slow runs fewer operations.
declare -A fewer=([special]=100 [lsan]=4 [asan]=20 [heaptrack]=20 [memcheck]=100)

library() { ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }'; }

# Prints the command of an allocator, or fails with the reason why there is none.
command_of() {
    local path
    case $1 in
    null | macro | exported) echo "$programs/pool-$1" ;;
    stacks | special) echo "$programs/pool-macro" ;;
    glibc) echo "$programs/pool-malloc" ;;
    lsan | asan)
        [ -x "$programs/pool-$1" ] || { echo "this compiler has none" >&2 && return 1; }
        echo "env LSAN_OPTIONS=leak_check_at_exit=0 ASAN_OPTIONS=detect_leaks=0 $programs/pool-$1"
        ;;
    heaptrack)
        command -v heaptrack >/dev/null || { echo "the package is heaptrack" >&2 && return 1; }
        echo "heaptrack -o $work/heaptrack $programs/pool-malloc"
        ;;
    memcheck)
        command -v valgrind >/dev/null || { echo "the package is valgrind" >&2 && return 1; }
        echo "valgrind -q $programs/pool-malloc"
        ;;
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
    lsan | asan | heaptrack | memcheck) [ "$2" = W2 ] || return 0 ;;
    esac
    local -a pin=()
    # heaptrack is two processes.
    [[ $2 = W[56] ]] || [ "$1" = heaptrack ] || pin=(taskset -c "$last_processor")
    local count=$((operations[$2] / divisor / ${fewer[$1]:-1}))
    # shellcheck disable=SC2086 # a command and its arguments
    "${pin[@]}" ${commands[$1]} "$2" $count $option >"$work/line" 2>"$work/errors" || status=$?
    case $status in
    0) echo "allocator=$1 $(grep '^workload=' "$work/line")" ;;
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
