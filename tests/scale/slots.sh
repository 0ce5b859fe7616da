#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A million cached blocks of 4 KiB: the start from a full cache file, after a stop and after a
# crash; memory; and what a cached read costs with a thousand, a hundred thousand and a million of them.
#
# SLOTS=N for another number, a multiple of 1000.  Needs 4 KiB of disk for each.

LIMIT=900 NEEDS="fuse fio"
. "$(dirname "$(readlink -f "$0")")/../e2e/lib.sh"
. "$root/tests/scale/measure.sh"

SLOTS=${SLOTS:-1000000}

full_disk() { # full_disk NAME SLOTS: every slot holds a block, some of them changes that wait
	write_conf "$1" prefix="$1-" size=$((4096 * ($2 + 1000))) blockSize=4k blockCacheFile="$work/cache.$1" \
	    blockCacheSize=$(($2 + 1000)) blockCacheMaxDirty=0 blockCacheWriteDelay=12h maxDirtyAge=1d drainOnStop=no \
	    uploaders=1 maxTransfers=32
	must_start
	random_file /dev/stdout $((4096 * $2)) "$1" | dd of="$file" bs=1M iflag=fullblock conv=notrunc,fsync status=none
}

reads() { # reads NAME SLOTS: cached reads a second, at random over all slots
	use_disk "$1"
	fio --name=r --filename="$file" --size=$((4096 * $2)) --rw=randread --bs=4k --direct=1 --norandommap \
	    --time_based --runtime=3 --output-format=json --fallocate=none --readonly 2>/dev/null |
	    jq '.jobs[0].read.iops | floor'
}

store s3
small=1000 middle=$((SLOTS / 10))
full_disk small $small
full_disk middle $middle
begin
full_disk large "$SLOTS"
took
figure "writing $SLOTS blocks, flushed" "$elapsed ms"
figure "of them not yet in the bucket" "$(status cache.dirtyBlocks)"
figure "memory with $SLOTS slots" "$(memory_line)"

for round in 1 2 3; do
	for d in "small $small" "middle $middle" "large $SLOTS"; do
		set -- $d
		reads "$1" "$2" >>"reads.$1"
	done
done
median() { sort -n "$1" | sed -n 2p; }
a=$(median reads.small) b=$(median reads.middle) c=$(median reads.large)
figure "cached reads a second, 1 thread, with $small, $middle, $SLOTS slots (medians of 3, in turn)" "$a, $b, $c"
figure "the same as a part of the first" "$((b * 100 / a)) %, $((c * 100 / a)) %"
le $((a)) $((c * 3)) "a lookup among $SLOTS costs no more than among $small, within a factor of 3"

use_disk large
begin
stop_disk
took
figure "stop, with changes left in the cache file" "$elapsed ms"
begin
start_disk
ok $? "start after it"
took
figure "start after it" "$elapsed ms"
figure "changes in it" "$(status cache.dirtyBlocks)"
put "$file" 0 4096 more && sync "$file"
kill_disk
begin
start_disk
ok $? "start after a crash"
took
figure "start after a crash" "$elapsed ms"
old=$(role_pid cachemgr)
is_replaced() { [ "$(role_pid cachemgr)" != "$old" ] && state_is running; }
begin
kill -KILL "$old"
wait_for 60 is_replaced
get "$file" 4096 4096 >/dev/null
took
figure "another cache manager, and a read" "$elapsed ms"
put "$file" 0 4096 large
is "$(get "$file" 4096 $((4096 * (SLOTS - 1))) | sum)" \
    "$(random_file /dev/stdout $((4096 * SLOTS)) large | tail -c +4097 | sum)" "every byte"
figure "memory after it" "$(memory_line)"
for d in small middle large; do use_disk $d; kill_disk; done
done_testing
