#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A disk much bigger than its cache: everything is evicted and fetched again while sixteen threads
# read, write and trim, and what waits for its upload stays within its bound.

LIMIT=240
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

watch_dirty() { # the largest number of dirty blocks seen, until the file `stop` is there
	local max=0 n
	while [ ! -e stop ]; do
		n=$(status cache.dirtyBlocks)
		[ -n "$n" ] && [ "$n" -gt "$max" ] && max=$n && echo "$max" >max
		sleep 0.1
	done
}

full_cache() {
	local name=$1
	shift
	write_conf "$name" bucket="bkt/$name" size=192m blockSize=64k blockCacheSize=128 \
	    blockCacheMaxDirty=64 "$@"
	must_start
	rm -f model stop max
	truncate -s 192m model
	watch_dirty &
	local watcher=$!
	quietly blockio run -d "$file" -m model -s "$SEED" -t 16 -n 3000 -D -l 512k -S 300k
	ok $? "$name: sixteen threads at once, seed $SEED"
	touch stop && wait "$watcher"
	# Each writer may hit one clean block in the moment before cachemgr sees that the bound is reached.
	le "$(cat max)" $((64 + 16)) "$name: dirty blocks stay within blockCacheMaxDirty"
	expect_counter cache.evictions -gt 128 "$name: the cache was turned over"
	expect_counter cache.slots -le 128 "$name: and did not grow"
	quietly blockio verify -d "$file" -m model -D -t 8 -l 256k
	ok $? "$name: the whole disk through the small cache"
	restart_cold
	ok $? "$name: stop, empty cache, start" || disk_log
	quietly blockio verify -d "$file" -m model -t 8 -l 1m
	ok $? "$name: the whole disk again, cold"
	stop_disk
	ok $? "$name: stop"
}

store s3
latency 5
full_cache file blockCacheFile="$work/cache"
full_cache memory
full_cache tiny blockCacheSize=16 blockCacheMaxDirty=0 maxTransfers=4
done_testing
