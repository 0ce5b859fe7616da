#!/bin/bash
# SPDX-License-Identifier: ISC
#
# One big scan does not throw out what is used all the time.

LIMIT=90
. "$(dirname "$0")/lib.sh"

hot() { # read the hot set: 16 blocks here and there
	local i
	for i in $(seq 0 15); do
		dd if="$file" of=/dev/null bs=64k skip=$((i * 237 + 3)) count=1 iflag=direct status=none
	done
}
get_count() { block_requests GET; }

store s3
mark=0
write_conf size=256m blockCacheSize=1000 readAhead=0
must_start
put "$file" 0 $((256 << 20)) all
restart_cold
for i in 1 2 3 4; do
	hot
	dd if="$file" of=/dev/null bs=64K skip=$((i * 100 + 7)) count=60 iflag=direct status=none
done
before=$(get_count)
hot
is "$(($(get_count) - before))" 0 "the hot set is cached"
scanned() { # scanned BYTES: by requests of this size
	dd if="$file" of=/dev/null bs="$1" iflag=direct status=none
	before=$(get_count)
	hot
	le "$(($(get_count) - before))" 3 "requests of $1: blocks of the hot set to be fetched again"
}
scanned 64K
expect_counter cache.evictions -gt 3000 "a scan of four times the cache"
scanned 1M
scanned 4K
stop_disk
done_testing
