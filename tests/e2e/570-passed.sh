#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a sequential writer has left behind is uploaded at once, what is rewritten in place is not, and a
# delay that was asked for is kept.

LIMIT=60
. "$(dirname "$0")/lib.sh"

passed() { ctl metrics | awk '$1 ~ /^s3backer_passed/ { n += $2 } END { print n + 0 }'; }

store s3
write_conf size=128m blockCacheSize=64m
must_start
mark=$(server_mark)
put "$file" 0 $((16 << 20)) all
n=$(passed)
le 1 "$n" "a sequential writer leaves blocks behind that need not wait: $n of 256"
quietly ctl flush
is "$(block_requests PUT)" 256 "no block of them is uploaded twice"
is "$(sum <"$file")" "$({ cat put.tmp; head -c $((112 << 20)) /dev/zero; } | sum)" "and all bytes are right"

# The same part once more, by then a cached one: a block becomes dirty by its first sector.  Read again, as one
# that was sent a moment ago would not go at once (test_sent).
restart_cold
head -c $((16 << 20)) <"$file" | sum >/dev/null
n=$(passed)
put "$file" 0 $((16 << 20)) again
le $((n + 1)) "$(passed)" "the same with blocks that were in the cache"
quietly ctl flush
n=$(passed)
for i in $(seq 40); do
	put "$file" $((i * 7919 % 3200 * 512 + (32 << 20))) 512 "$i"
done
is "$(passed)" "$n" "random writes leave nothing behind"
restart_cold
is "$(get "$file" 0 $((16 << 20)) | sum)" "$(random_file put.want $((16 << 20)) again && sum <put.want)" \
    "the last version is the one"
stop_disk

write_conf late size=128m blockCacheSize=64m prefix=late- blockCacheWriteDelay=30s
must_start
mark=$(server_mark)
put "$file" 0 $((8 << 20)) late
is "$(passed)/$(block_requests PUT)" 0/0 "with a delay that was asked for nothing is sent before it"
stop_disk
ok $? "stop"
done_testing
