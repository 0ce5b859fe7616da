#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A store that takes no changes (it is full, or somebody has made it read-only) and serves reads:  blocks
# that are not cached are read as if nothing was wrong, however many uploads wait.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
write_conf size=64m blockCacheSize=32m readAhead=0 blockCacheWriteDelay=0 initialRetryPause=50ms timeout=20s uploaders=2
must_start
put "$file" 0 $((16 << 20)) old
cp put.tmp old
quietly ctl flush
restart_cold

refused() { grep -q 'the store takes no changes, asking once a second' "$run/log"; }
fault 'put:key=*0000*:503'
dd if=/dev/urandom of=put.tmp bs=64k count=64 status=none
dd if=put.tmp of="$file" bs=64k seek=512 conv=notrunc status=none
wait_for 30 refused
ok $? "64 blocks are refused: an outage of changes" || disk_log
server_reset
n=0
for i in $(seq 0 8 240); do
	timeout 20 dd if="$file" bs=64k skip="$i" count=1 iflag=direct status=none |
	    cmp -s - <(dd if=old bs=64k skip="$i" count=1 status=none) && n=$((n + 1))
done
is "$n" 31 "31 blocks that are not cached are read, one after the other" || disk_log
grep -q 'serves no reads' "$run/log"
is $? 1 "there is no outage of reads"
refused && ! grep -q 'the store takes changes again' "$run/log"
ok $? "nor an end of the other one"
is "$(status state)" degraded "status: degraded"
has "$(status why)" 'has taken no changes for .*503' "and why"
no_fault
wait_for 30 is_clean
ok $? "it ends, and everything is uploaded" || disk_log
cmp -s <(get "$file" $((512 * 65536)) $((64 * 65536))) put.tmp
ok $? "and right"
stop_disk
ok $? "stop"
done_testing
