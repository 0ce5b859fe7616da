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
done_testing
