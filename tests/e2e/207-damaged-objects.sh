#!/bin/bash
# SPDX-License-Identifier: ISC
#
# An object that the store has damaged, or lost, is an error and a line in the log, never data.

LIMIT=60
. "$(dirname "$0")/lib.sh"

store s3
write_conf size=16m initialRetryPause=20ms maxRetryPause=1s readAhead=0 blockCacheFile="$work/cache"
must_start
put "$file" 0 $((1 << 20)) before
quietly ctl flush
ok $? "blocks to read"

# Damaged in the store, under the right length and ETag: an error and a line, never data.
fault 'put:garbage'
put "$file" 655360 65536 damaged
quietly ctl flush
no_fault
restart_cold
has "$(get "$file" 655360 65536 2>&1 >/dev/null)" 'Input/output error' "a block that the store has damaged: EIO"
has "$(cat "$run/log")" 'do not have the checksum' "and a line in the log"
# Deleted behind our back.
wait_for 10 grep -q 'survey of the bucket is complete' "$run/log"
adm -X DELETE "$admin/object/bkt/00000003" >/dev/null
has "$(get "$file" $((3 * 65536)) 65536 2>&1 >/dev/null)" 'Input/output error' "an object that was deleted: EIO"
has "$(cat "$run/log")" 'is not there, and the bucket had it' "and a line in the log"
stop_disk
done_testing
