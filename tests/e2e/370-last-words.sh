#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The one entry that the log has about a death: role, pid, signal, and the last words: what the process
# had noted in the segment, or what it had written to stderr.

LIMIT=120 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

above() { [ "$(status "$2")" -gt "$1" ]; }
obituary() { grep -c "$1 died: pid=$2 " "$run/log"; }
has_obituary() { [ "$(obituary "$1" "$2")" -ge 1 ]; }

store s3
write_conf size=16m blockCacheFile="$work/cache" blockCacheWriteDelay=20ms maxDirtyAge=1s
must_start
fault put:503
put "$file" 0 1048576 x
wait_for 20 above 8 transfers.put.retried
for role in uploader.0 uploader.1; do
	pid=$(role_pid $role)
	kill -KILL "$pid"
	wait_for 20 has_obituary $role "$pid"
	is "$(obituary $role "$pid")" 1 "$role killed: one entry"
	has "$(grep "$role died: pid=$pid " "$run/log")" 'signal=KILL lived_s=[0-9]+ words=.* answered 503' \
	    "$role: with the signal, and what it was at"
	wait_for 20 above 8 transfers.put.retried
done
no_fault
wait_for 20 is_clean
ok $? "and what they had is uploaded"

pid=$(role_pid cachemgr)
echo "cannot go on: of all things" >"/proc/$pid/fd/2" # as a library would
wait_for 20 grep -q 'cachemgr wrote: cannot go on' "$run/log"
ok $? "what a role writes to stderr is in the log"
kill -ABRT "$pid"
wait_for 20 has_obituary cachemgr "$pid"
has "$(grep "cachemgr died: pid=$pid " "$run/log")" 'signal=ABRT .*words=cannot go on: of all things' \
    "and its last line is its last words"
is "$(timeout 60 dd if="$file" bs=1M count=1 iflag=direct status=none | sum)" "$(sum <put.tmp)" "the disk goes on"
stop_disk
done_testing
