#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A small write into a block that is not cached waits for no download: the rest of the block is
# fetched when it is uploaded, or read.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store s3
write_conf readAhead=0 blockCacheWriteDelay=60s maxDirtyAge=5m
must_start
put "$file" 0 $((8 << 20)) old
cp put.tmp want
stop_disk
must_start
mark=$(server_mark)
latency 300
start=$(now_ms)
for block in $(seq 8 127); do
	put "$file" $((block * 65536 + 8192)) 4096 "new $block"
	dd if=put.tmp of=want bs=4096 seek=$((block * 16 + 2)) conv=notrunc status=none
done
took=$(($(now_ms) - start))
is "$(block_requests GET)" 0 "120 writes of 4 KiB, not one GET"
le $took $((12000 * slow)) "in less time than the GETs would take, milliseconds"
expect_counter cache.dirtyBlocks -eq 120 "all are in the cache"
latency 0
is "$(get "$file" $((20 * 65536 + 8192)) 4096 | sum)" \
    "$(get want $((20 * 65536 + 8192)) 4096 | sum)" "they read back without a GET"
is "$(block_requests GET)" 0 "no, none"
cmp -s <(get "$file" $((30 * 65536)) 65536) <(get want $((30 * 65536)) 65536)
ok $? "a read of the whole block merges old and new"
is "$(block_requests GET)" 1 "for one GET"
get "$file" $((40 * 65536)) 4096 >/dev/null
stop_disk
ok $? "stop completes the blocks and uploads them"
is "$(block_requests PUT)" 120 "one PUT each"
must_start
cmp -s <(get "$file" 0 $((8 << 20))) want
ok $? "all of it is right in the bucket"
stop_disk

# A write of a whole block needs no GET ever.
write_conf readAhead=0
must_start
mark=$(server_mark)
put "$file" 0 $((4 << 20)) whole
cp put.tmp want
stop_disk
is "$(block_requests GET)" 0 "whole blocks rewritten: no GET, to the end"
must_start
cmp -s <(get "$file" 0 $((4 << 20))) want
ok $? "and right"
stop_disk
done_testing
