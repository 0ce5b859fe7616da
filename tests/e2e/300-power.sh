#!/bin/bash
# SPDX-License-Identifier: ISC
#
# All processes killed at once: what was synced is there afterwards, whatever was going on.

LIMIT=180
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

crash_rounds() { # crash_rounds sentence
	local round writer
	rm -f model && truncate -s 32m model
	for round in 1 2 3; do
		quietly blockio run -d "$file" -m model -s $((SEED + round)) -t 4 -n 600 -e 16m -F
		ok $? "$1: write the first half, fsync (seed $((SEED + round)))"
		cp model model.2
		blockio run -d "$file" -m model.2 -s $((SEED + round)) -t 4 -T 60 -f 16m >/dev/null 2>&1 &
		writer=$!
		wait_for 20 test "$(status cache.dirtyBlocks)" -gt 5
		kill_disk
		ok $? "$1: kill everything while the second half is being written"
		wait "$writer" 2>/dev/null
		start_disk
		ok $? "$1: start again" || { disk_log; return; }
		quietly blockio verify -d "$file" -m model -e 16m
		ok $? "$1: the first half is there"
		quietly get "$file" 16777216 16777216 >/dev/null
		ok $? "$1: the second can be read"
		# What the second half holds now is what it shall hold from now on.
		get "$file" 16777216 16777216 | dd of=model bs=1M seek=16 conv=notrunc status=none
	done
	stop_disk && empty_cache && start_disk
	ok $? "$1: stop, empty cache, start" || disk_log
	quietly blockio verify -d "$file" -m model
	ok $? "$1: all of it from the bucket"
	stop_disk
}

in_cache_file() {
	write_conf file size=32m blockCacheFile="$work/cache.$store" blockCacheWriteDelay=500ms
	must_start
	is "$(status durability.flushTo)" cache "fsync waits for the cache file"
	crash_rounds "cache file"
}

# The store is away all the time, so only the cache file can have it.
without_store() {
	write_conf away size=32m blockCacheFile="$work/cache.away" initialRetryPause=20ms prefix=away-
	must_start
	fault put:503
	put "$file" 0 $((3 << 20)) x
	sync "$file"
	ok $? "fsync while no PUT works"
	kill_disk
	start_disk
	ok $? "killed, started" || disk_log
	is "$(get "$file" 0 $((3 << 20)) | sum)" "$(sum <put.tmp)" "what was synced is there"
	le 48 "$(status cache.dirtyBlocks)" "and still waits for its upload, blocks"
	no_fault
	stop_disk
	is "$(blocks away- | wc -l)" 48 "stop brings it to the bucket"
	is "$(for k in $(blocks away-); do object "$k"; done | sum)" "$(sum <put.tmp)" "all of it"
}

in_memory() {
	write_conf memory size=32m blockCacheWriteDelay=500ms prefix=mem-
	must_start
	is "$(status durability.flushTo)" bucket "without a cache file fsync waits for the bucket"
	put "$file" 65536 $((2 << 20)) x
	sync "$file"
	ok $? "fsync"
	is "$(blocks mem- | wc -l)" 32 "the bucket has it when fsync returns"
	kill_disk
	start_disk
	ok $? "killed, started" || disk_log
	is "$(get "$file" 65536 $((2 << 20)) | sum)" "$(sum <put.tmp)" "the same bytes"
	stop_disk
}

keep_dirty() {
	write_conf keep size=32m blockCacheFile="$work/cache.keep" blockCacheWriteDelay=60s \
	    maxDirtyAge=5m prefix=keep-
	must_start
	put "$file" 0 $((1 << 20)) x
	local out
	out=$(s3backerd -c "$conf" stop --keep-dirty 2>&1)
	is $? 0 "stop --keep-dirty"
	has "$out" '1\.0 ?M|1048576|16 blocks' "says how much was left"
	is "$(blocks keep- | wc -l)" 0 "nothing was uploaded"
	start_disk
	ok $? "start" || disk_log
	is "$(get "$file" 0 $((1 << 20)) | sum)" "$(sum <put.tmp)" "it is there"
	stop_disk
	is "$(blocks keep- | wc -l)" 16 "and an ordinary stop uploads it"
}

store s3
in_cache_file
without_store
in_memory
keep_dirty
store dir
in_cache_file
done_testing
