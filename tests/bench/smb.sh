#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the hop to the worker process costs: open and close of a file through the backend and through the machine,
# against a plain libsmbclient loop on the same smbd, in both dialects. Everything on one processor, then everywhere.
# usage: smb.sh SMB_HOP OPENLOOP [ROUNDS [SECONDS]]
set -euo pipefail

hop=$1 openloop=$2
shift 2
for dialect in NT1 SMB3_11; do
    taskset -c 0 "$hop" "$openloop" "$dialect" "$@"
    "$hop" "$openloop" "$dialect" "$@"
done
