#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Everything is killed at once while the store still works on a PUT, which it applies after the next
# start: it must not come over what was written since, nor change what was read.

LIMIT=180
. "$(dirname "$0")/lib.sh"

LATE=2000ms # after it has arrived: less than two seconds after its sender's death

in_flight() { [ "$(server_stats in_flight)" -gt 0 ]; }
landed() { server_log "$mark" | grep -q 'fault=put:key='; }
md5() { object "$1" | sum; }

# A disk with version 1 in the bucket, and version 2 on its way when everything dies.
die_with_put() { # die_with_put PREFIX KEYS=VALUES...
	write_conf "$@" size=16m blockCacheWriteDelay=20ms maxDirtyAge=1s
	must_start
	put "$file" 65536 65536 one
	sync "$file" && ctl flush >/dev/null
	mark=$(server_mark)
	fault "put:key=*00000001:nth=1:late=$LATE"
	put "$file" 65536 65536 two
	wait_for 20 in_flight
	ok $? "$1: a PUT is on its way"
	kill_disk
	s3backerd -c "$conf" start >start.out 2>&1
	ok $? "$1: killed, started" || disk_log
}

overtaking() { # overtaking NAME KEY=VALUE...
	die_with_put "$1" prefix="$1-" "${@:2}"
	put "$file" 65536 65536 three
	sync "$file"
	ctl flush >/dev/null
	is "$(md5 "$1-00000001")" "$(sum <put.tmp)" "$1: flush: the bucket has the third version"
	wait_for 20 landed
	is "$(md5 "$1-00000001")" "$(sum <put.tmp)" "$1: and keeps it when the second has landed"
	no_fault
	stop_disk
}

steady() { # steady NAME KEY=VALUE...
	local before
	die_with_put "$1" prefix="$1-" "${@:2}"
	before=$(get "$file" 65536 65536 | sum)
	wait_for 20 landed
	no_fault
	stop_disk
	is "$(md5 "$1-00000001")" "$before" "$1: what was read is what stays"
}

store s3
overtaking file blockCacheFile="$work/cache.file"
overtaking memory
steady file2 blockCacheFile="$work/cache.file2"
steady memory2
done_testing
