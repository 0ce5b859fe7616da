#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Read-ahead hides the latency of the store from a sequential reader, and costs a random one nothing.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
write_conf size=128m blockCacheSize=64m
must_start
put "$file" 0 $((64 << 20)) x
restart_cold
latency 50
mark=$(server_mark)
start=$(now_ms)
is "$(dd if="$file" bs=128k count=512 iflag=direct status=none | sum)" "$(sum <put.tmp)" \
    "64 MiB in sequence, 1024 blocks"
took=$(($(now_ms) - start))
le "$took" $((10000 * slow)) "one after the other would be 51,200 ms: it took"
le "$(block_requests GET)" 1060 "and next to nothing was fetched in vain, GETs"

restart_cold
latency 50
mark=$(server_mark)
start=$(now_ms)
for i in 0 1 2 3; do
	dd if="$file" of="part.$i" bs=128k count=64 skip=$((i * 128)) iflag=direct status=none &
	pids[i]=$!
done
wait "${pids[@]}"
took=$(($(now_ms) - start))
for i in 0 1 2 3; do
	cmp -s "part.$i" <(get put.tmp $((i * 16 << 20)) $((8 << 20)))
	ok $? "stream $i of four at the same time"
done
le "$took" $((12000 * slow)) "each is followed: one after the other would be 25,600 ms: it took"

latency 0
restart_cold
mark=$(server_mark)
for i in $(seq 60); do
	dd if="$file" of=/dev/null bs=4k count=1 skip=$((i * 7919 % 16384)) iflag=direct status=none
done
le "$(block_requests GET)" 75 "sixty random reads, GETs"
stop_disk

# What is ahead is a quarter of the cache, more than the queue of new blocks has of a full one.
latency 20
write_conf size=128m blockCacheSize=400
must_start
# Full of blocks that are read often: touches count that lie an eighth of a second apart.
start=$(now_ms)
while [ $(($(now_ms) - start)) -lt 1000 ]; do
	dd if="$file" of=/dev/null bs=128k count=160 iflag=direct status=none
done
mark=$(server_mark)
quiet() { [ "$(status transfers.inFlight)" = 0 ]; }
for i in $(seq 0 24); do # 20 blocks, and what is ahead has arrived before the next
	dd if="$file" bs=64k skip=$((500 + i * 20)) count=20 iflag=direct status=none
	wait_for 10 quiet
done >seq
is "$(sum <seq)" "$(dd if=put.tmp bs=64k skip=500 count=500 status=none | sum)" \
    "a reader who is slow, and a full cache"
server_log "$mark" | awk '$3 == "GET" { print $9 }' | grep -E '[0-9a-f]{8}$' | sort | uniq -d >twice
is "$(wc -l <twice)" 0 "nothing is thrown out before it was read" || cat twice
stop_disk
done_testing
