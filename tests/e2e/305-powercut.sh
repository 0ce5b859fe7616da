#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A sample of power cuts and of faults of the disk under the cache (tests/crash/README.md).
#
#	SEED=N CUTS=N tests/e2e/305-powercut.sh

LIMIT=400
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}
CUTS=${CUTS:-100}
shm=$work
[ -w /dev/shm ] && shm=$(mktemp -d /dev/shm/s3b-powercut.XXXXXX) && on_exit rm -rf "$shm"

cuts() { # cuts OPTIONS...: its last words are a note in any case
	local status
	powercut -d "$shm" -s "$SEED" "$@" >cuts.out 2>&1
	status=$?
	sed 's/^\(# \)*/# /' cuts.out
	return "$status"
}

cuts -n "$CUTS"
ok $? "$CUTS power cuts lose nothing that was flushed (powercut -s $SEED)"
for fault in enospc readonly eio-fsync eio-read; do
	cuts -n 8 -i 1 -f "$fault"
	ok $? "nor does a cache disk with $fault (powercut -s $SEED -f $fault)"
done
cuts -n 200 -L
is $? 1 "a disk that ignores fdatasync is found out"
done_testing
