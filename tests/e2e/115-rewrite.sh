#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A block written many times within the write delay is uploaded once, or twice.

LIMIT=60
. "$(dirname "$0")/lib.sh"

store s3
write_conf blockCacheWriteDelay=3s
must_start
mark=$(server_mark)
began=$(now_ms)
for i in $(seq 300); do
	put "$file" $((65536 * 7 + 512 * (i % 100))) 512 "$i"
done
random_file want 51200 all
dd if=want of="$file" bs=51200 seek=$((65536 * 7)) oflag=seek_bytes conv=notrunc status=none
allowed=$(((2 * ($(now_ms) - began) + 2999) / 3000))
wait_for 20 is_clean
ok $? "it is uploaded without being asked to"
uploads=$(block_requests PUT)
le 1 "$uploads" "three hundred writes are uploaded, PUTs"
le "$uploads" $((allowed > 2 ? allowed : 2)) "not more than twice in 3 seconds"
start=$(block_requests PUT)
for i in 1 2 3; do
	put "$file" 0 4096 "$i"
	quietly ctl flush
done
is "$(($(block_requests PUT) - start))" 3 "flush does not wait for the delay"
restart_cold
is "$(get "$file" $((65536 * 7)) 51200 | sum)" "$(sum <want)" "the last version is the one"
stop_disk
done_testing
