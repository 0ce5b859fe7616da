#!/bin/bash
# SPDX-License-Identifier: ISC
#
# restart to programs with another layout of shared memory: the old segment ends with a last commit, or
# with everything in the bucket, and a new one begins; who uses the disk waits.  What fails on the way
# leaves the disk as it was.

LIMIT=150 NEEDS="fuse inject"
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

v=$(uname -r)
[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ] || skip_all "needs Linux 6.9"
export S3BACKERD_TEST_IPC=99 # every program believes that the other's segment is not its own

pids() { status_json | jq -c '[.processes[] | select(.role != "s3backerd").pid]'; }

upgraded() { # upgraded sentence KEY=VALUE...
	local what=$1 io n self before after
	write_conf "$what" size=32m prefix="$what-" uploaders=2 blockCacheSize=200 "${@:2}"
	must_start
	rm -f model && truncate -s 32m model
	self=$(disk_pid)
	blockio run -d "$file" -m model -s "$SEED" -t 6 -T 12 -D >io.out 2>&1 &
	io=$!
	for n in 1 2 3; do
		before=$(pids)
		timeout 40 s3backerd -c "$conf" restart || { disk_log 60; break; }
		after=$(pids)
		[ "$(jq -n "$before - $after | length")" = 4 ] || break
	done
	is "$n" 3 "$what: three times a new segment"
	is "$(grep -c 'going on with a new segment' "$run/log")" 3 "$what: and no other kind of restart"
	wait "$io"
	ok $? "$what: no error and no wrong byte meanwhile (seed $SEED)" || { sed 's/^/# /' io.out; disk_log; }
	is "$(disk_pid)" "$self" "$what: s3backerd keeps its process id"
	restart_cold
	ok $? "$what: stop, empty cache, start" || disk_log
	quietly blockio verify -d "$file" -m model
	ok $? "$what: all bytes from the bucket"
	stop_disk
	nothing_left "$what: nothing is left"
}

the_way_back() {
	local before out
	write_conf back size=32m prefix=back- blockCacheFile="$work/cache.back" blockCacheSize=200 \
	    blockCacheWriteDelay=60s
	S3B_INJECT=s3backerd.exec:fail start_disk
	ok $? "back: start"
	put "$file" 0 $((1 << 20)) x
	before=$(pids)
	out=$(s3backerd -c "$conf" restart 2>&1)
	is $? 1 "back: the program cannot be executed after all"
	has "$out" 'Exec format error' "back: and why"
	wait_for 20 test "$(get "$file" 0 $((1 << 20)) | sum)" = "$(sum <put.tmp)"
	ok $? "back: new processes on the old segment, with all that was written"
	is "$(jq -n "$before - $(pids) | length")" "$(jq length <<<"$before")" "back: all of them"
	timeout 40 s3backerd -c "$conf" restart
	ok $? "back: the second time it goes" || disk_log
	is "$(get "$file" 0 $((1 << 20)) | sum)" "$(sum <put.tmp)" "back: the same bytes"
	is "$(blocks back- | wc -l)" 0 "back: which were never uploaded"
	stop_disk
	is "$(blocks back- | wc -l)" 16 "back: until the stop"
}

store s3
latency 5
upgraded file blockCacheFile="$work/cache"
upgraded memory
the_way_back
done_testing
