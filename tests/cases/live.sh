#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every case of the catalogue on live machines: each with its two builds, then on all builds.
# usage: live.sh RDRLAB wine|native
set -eu

rdrlab=$1 how=$2

# The peer that is missing, as Meson takes it.
skip() {
    echo "skipped: $1"
    [ -z "${RDRLAB_REQUIRE_ALL:-}" ] || exit 1
    exit 77
}

command -v smbd >/dev/null || [ -x /usr/sbin/smbd ] || skip 'no smbd'
case $how in
wine)
    command -v wine >/dev/null || skip 'no Wine'
    set -- --all
    client='^casesteps\.exe under wine-'
    ;;
native)
    set -- --all --no-wine
    client='^calls by rdrlab,'
    ;;
esac

table=$(mktemp)
page=$(mktemp)
trap 'rm -f "$table" "$page"' EXIT

status=0
"$rdrlab" repro "$@" --html "$page" >"$table" || status=$?
cat "$table"
[ "$status" -eq 0 ] || exit 1
grep -q "$client" "$table" || {
    echo "it was not done with $how" >&2
    exit 1
}
cases=$("$rdrlab" cases | tail -n +2 | wc -l)
[ "$(grep -c '<h2 id="Q' "$page")" -eq "$cases" ] || {
    echo 'the page has not all cases' >&2
    exit 1
}

# The builds are the program's to list.
builds=$("$rdrlab" repro --all --build none 2>&1 | sed -n 's/.*there are //p')
[ -n "$builds" ]
for build in $builds; do
    set -- "$@" --build "$build"
done
"$rdrlab" repro "$@"
