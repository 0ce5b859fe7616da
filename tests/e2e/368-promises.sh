#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The promises of DESIGN.md, each in one short scene, so that tests/crash/mutations can show that it fails
# when the promise is broken.  The thorough tests of each are named in tests/crash/README.md.
#
#	tests/e2e/368-promises.sh [p1 p2 ...]

LIMIT=180
. "$(dirname "$0")/lib.sh"

disk() { # disk NAME KEY=VALUE...
	write_conf "$1" prefix="$1-" size=16m initialRetryPause=20ms "${@:2}"
	must_start
}
written() { sum <put.tmp; } # what the last put has written
sees() { [ "$(timeout $((30 * slow)) dd if="$file" bs=64k skip="$1" count=1 iflag=direct status=none | sum)" = "$2" ]; }

asked() { [ "$(server_stats in_flight)" -gt 0 ]; }
above() { [ "$(status "$2")" -gt "$1" ]; }

p1() {
	disk p1 maxRetryPause=1s
	put "$file" 196608 65536 one # not block 0, which is read at each start
	stop_disk
	start_disk
	fault get:key=*00000003:garbage
	dd if="$file" of=read bs=64k skip=3 count=1 iflag=direct 2>/dev/null
	is $? 1 "P1: wrong bytes from the store are an error, not data"
	no_fault
	stop_disk
}

p2() {
	local victim
	disk p2 blockCacheFile="$work/cache.p2"
	put "$file" 196608 65536 one
	stop_disk && empty_cache && start_disk
	fault get:key=*00000003:nth=1:stall=3s
	(dd if="$file" bs=64k skip=3 count=1 iflag=direct status=none | sum >read.sum) &
	victim=$(role_pid cachemgr)
	wait_for 10 asked
	kill -KILL "$victim"
	# Not waited for: a read that is never answered cannot be ended.
	wait_for 30 test -s read.sum
	is "$(cat read.sum)" "$(written)" "P2: a read that waited when the cache manager was killed gets its bytes" || return
	put "$file" 65536 65536 two
	kill -KILL "$(role_pid frontend)" "$(role_pid uploader.0)"
	sees 1 "$(written)"
	ok $? "P2: what was written before other processes were killed is there"
	no_fault
	stop_disk
}

p4() {
	disk p4
	fault put:stall=1s
	put "$file" 0 65536 one
	sync "$file"
	is "$(object p4-00000000 | sum)" "$(written)" "P4: what fsync has returned for is in the bucket"
	no_fault
	stop_disk
}

p5() {
	local reader
	disk p5 blockCacheFile="$work/cache.p5"
	put "$file" 196608 65536 old
	stop_disk && empty_cache && start_disk
	fault any:503
	put "$file" 65536 131072 new
	ok $? "P5: writes go on while the store is away"
	sync "$file"
	ok $? "P5: and fsync"
	random_file old 65536 old
	sees 3 "$(sum <old)" &
	reader=$!
	wait_for 20 above 1 transfers.get.retried
	no_fault
	wait "$reader"
	ok $? "P5: a read of what is not cached waits until it is back"
	random_file put.tmp 131072 new
	stop_disk
	is "$(object p5-00000001; object p5-00000002)" "$(cat put.tmp)" "P5: and the writes get there"
} 2>/dev/null

p6() {
	disk p6 leaseTime=2s blockCacheFile="$work/cache.p6" blockCacheWriteDelay=100ms
	printf 'other\n20261124T194500Z\nboot: 1\npid: 77\ninstance: 1234\n' |
	    adm -X PUT -H 'x-amz-meta-s3backer-mount-token: 0badcafe' --data-binary @- \
		"$admin/object/bkt/p6-s3backer-mounted" >/dev/null
	# Until then its lease may be running; afterwards not one block.
	sleep 2
	put "$file" 0 65536 mine
	wait_for 15 state_is fenced
	ok $? "P6: who has lost the token notices"
	sleep 1
	is "$(blocks p6- | wc -l)" 0 "P6: and writes no more"
	stop_disk
}

p7() {
	disk p7 blockCacheFile="$work/cache.p7" blockCacheWriteDelay=60s maxDirtyAge=5m
	put "$file" 0 262144 all
	stop_disk
	ok $? "P7: stop"
	is "$(for k in $(blocks p7-); do object "$k"; done | sum)" "$(written)" "P7: all of it is in the bucket"
	is "$(keys p7- | grep -c mounted)" 0 "P7: and anybody may have it"
}

store s3
[ $# -gt 0 ] || set -- p1 p2 p4 p5 p6 p7
for promise; do "$promise"; done
done_testing
