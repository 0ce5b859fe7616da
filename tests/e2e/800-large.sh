#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A disk of 1 PiB, a bucket of many blocks, and the largest number of blocks there can be: the start does
# not depend on the size, memory is that of what is used, and trimming all of it takes no time.

LIMIT=90 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

PIB=$((1 << 50)) MIB=$((1 << 20))

memory() { # kilobytes of a role, shared memory that it has touched included
	awk '/^Rss:/ { print $2 }' "/proc/$(role_pid "$1")/smaps_rollup"
}
surveyed() { grep -q 'survey of the bucket is complete' "$run/log"; }
mark=0

# ---- 2^30 blocks -------------------------------------------------------------------------------
store s3
write_conf size=1p blockSize=1m blockCacheFile="$work/cache" blockCacheSize=32
must_start
put "$file" 0 5000 first
put "$file" $((PIB - 5000)) 5000 last
ctl flush >/dev/null
is "$(blocks | tr '\n' ' ')" "00000000 3fffffff " "1 PiB: the first block and the last"
restart_cold
is "$(get "$file" $((PIB - 5000)) 5000 | sum)" "$(random_file /dev/stdout 5000 last | sum)" "the last bytes, from the bucket"
is "$(get "$file" $((PIB / 3)) 100000 | tr -d '\0' | wc -c)" 0 "zeros in the middle"
wait_for 10 surveyed
fallocate -p -o 0 -l "$MIB" "$file" && fallocate -p -o $((PIB - MIB)) -l "$MIB" "$file"
wait_for 20 is_clean
is "$(blocks | wc -l)" 0 "trimmed at both ends"
put "$file" $((PIB / 2)) 5000 middle
ctl flush >/dev/null
fallocate -p -o 0 -l "$PIB" "$file"
ok $? "all of it trimmed in one request"
wait_for 20 is_clean
is "$(blocks | wc -l) $(block_requests DELETE)" "0 3" "which deletes what there was, and asks for nothing else"
le "$(memory cachemgr)" 30000 "the cache manager has touched next to nothing of the map, kB"

# While the bucket is still being listed nobody knows what there is: all of it has to be noted.
stop_disk
fault 'list:stall=4s'
start_disk
fallocate -p -o 0 -l "$PIB" "$file"
ok $? "all of it trimmed while the listing goes on"
put "$file" $((PIB / 2)) 5000 again
wait_for 30 surveyed
no_fault
wait_for 30 is_clean
ok $? "the listing spares the deletes"
is "$(blocks) $(block_requests DELETE)" "20000000 3" "a block that was written meanwhile is there"
le "$(memory cachemgr)" 300000 "two bits a block, kB"
is "$(grep -c 'cachemgr died' "$run/log")" 0 "nobody was replaced"
stop_disk

# ---- how many blocks there can be --------------------------------------------------------------
write_conf most size=$((4096 * 0xffffffff)) blockSize=4k prefix=most- blockCacheSize=32
must_start
put "$file" $((4096 * 0xfffffffe)) 4096 end
ctl flush >/dev/null
is "$(keys most- | grep -v mounted)" most-fffffffe "2^32 - 1 blocks: the last one"
stop_disk
write_conf more size=16t blockSize=4k prefix=more- blockCacheSize=32
has "$(s3backerd -c "$conf" start 2>&1)" 'more than 2\^32 - 1 blocks.*blockSize = 8k' \
    "2^32 blocks: refused, with the block size that would do"

# ---- many blocks listed ------------------------------------------------------------------------
stop_server
wait_for 10 gone "$server_pid"
start_server --synthetic-blocks 200000:5000:65536
store s3
write_conf many size=$((65536 * 1000000000)) blockSize=64k blockCacheSize=64
must_start
is "$(get "$file" $((65536 * 5000)) 65536 | tr -d S | wc -c)" 0 "a block is read while the listing goes on"
wait_for 40 surveyed
is "$(sed -n 's/.*survey of the bucket is complete: blocks=//p' "$run/log")" 200000 "200,000 blocks listed"
le "$(server_log | awk '$3 == "GET"' | wc -l)" 215 "in pages of a thousand" # those, the start's own, and that read
stop_disk
done_testing
