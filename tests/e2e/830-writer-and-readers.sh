#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A writer that fills the cache many times over leaves what is read all the time where it is, also
# what has come in only just before.

LIMIT=90
. "$(dirname "$0")/lib.sh"

hot() { dd if="$file" of=/dev/null bs=64k count=32 iflag=direct status=none; }
hot_for() { # hot_for MS: again and again; one pass says nothing about the next
	local until=$(($(now_ms) + $1))
	while hot && [ "$(now_ms)" -lt $until ]; do :; done
}

store s3
mark=0
write_conf size=512m blockCacheSize=64m readAhead=0
must_start
put "$file" 0 $((2 << 20)) hot
ctl flush >/dev/null
hot_for 1500
before=$(block_requests GET)
random_file noise $((32 << 20)) noise
for i in 1 2 3 4 5 6 7 8; do
	dd if=noise of="$file" bs=1M seek=$((i * 32)) oflag=direct conv=notrunc status=none || ok 1 "write $i"
done
hot
# On a busy machine a pass over them may come late for some; all 32 went before.
le "$(($(block_requests GET) - before))" 8 "blocks of those read often that a writer of four times the cache has thrown out"
expect_counter cache.evictions -gt 3000 "it needed the room"
ctl flush >/dev/null
before=$(block_requests GET)
dd if="$file" of=/dev/null bs=1M skip=64 count=128 iflag=direct status=none
hot
le "$(($(block_requests GET) - before))" $((128 * 16 + 8)) "nor does a reader of twice the cache"
stop_disk
ok $? "stop"
done_testing
