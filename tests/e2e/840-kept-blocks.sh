#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A start with a full cache file asks for five things, however many blocks are cached: what was kept is
# compared with the bucket where it is read, a thousand blocks at a time.

LIMIT=90
. "$(dirname "$0")/lib.sh"

lists() { server_log "$mark" | grep -c 'max-keys='; }
listed_all() { grep -c 'survey of the bucket is complete' "$run/log"; }
block() { get "$file" $(($1 * 4096)) 4096 | sum; }
is_zero() { ! get "$file" $(($1 * 4096)) 4096 | tr -d '\0' | grep -q .; }

store s3
write_conf other size=20m blockSize=4k
write_conf size=20m blockSize=4k blockCacheFile="$work/cache" blockCacheSize=6000 readAhead=0
must_start
put "$file" 0 $((4000 * 4096)) kept
cp put.tmp want
quietly ctl flush
stop_disk

mark=$(server_mark)
must_start
is "$(block 0)" "$(head -c 4096 want | sum)" "the first block after a start"
le "$(server_log "$mark" | wc -l)" 5 "a start with 4,000 cached blocks and a first read: requests"
# One byte of block 0 says what sizes the disk has.
is "$(lists)/$(block_requests GET)" 1/1 "one page of names, and no block"
block 999 >x
is "$(lists)" 1 "a block of the same thousand costs nothing"
block 3500 >x
is "$(lists)" 2 "one of another thousand costs a page"
is "$(lists)/$(listed_all)" 2/1 "and nothing lists the bucket as long as nothing unknown is wanted"
# Not the last ones: the kernel reads ahead, into what is not known.
cmp -s <(get "$file" 0 $((3800 * 4096))) <(get want 0 $((3800 * 4096)))
ok $? "all blocks are right"
is "$(lists)/$(block_requests GET)" 4/1 "for a page each thousand, and no block is fetched"
block 4500 >x
wait_for 20 eval '[ "$(listed_all)" = 2 ]'
ok $? "a block of which nothing is known: now the bucket is listed"
stop_disk

# Somebody else had the disk.
use_disk other
must_start
put "$file" $((1500 * 4096)) 4096 foreign
cp put.tmp foreign
fallocate -p -o $((1501 * 4096)) -l 4096 "$file"
fallocate -p -o $((1999 * 4096)) -l 4096 "$file"
quietly ctl flush
stop_disk
use_disk disk
mark=$(server_mark)
must_start
is "$(block 1500)" "$(sum <foreign)" "what another machine has written is read"
is_zero 1501 && is_zero 1999
ok $? "what it has trimmed is zero"
block 1502 >x
is "$(block_requests GET | awk '{ print ($1 <= 40) }')" 1 "and nothing else is fetched"
stop_disk

# No page is to be had: what is wanted is fetched.
cp "$conf" keep.conf
echo "maxRetryPause = 1s" >>"$conf"
must_start
fault list:500
is "$(block 2500)" "$(get want $((2500 * 4096)) 4096 | sum)" "no names are to be had: the block is fetched"
no_fault
stop_disk
cp keep.conf "$conf"

# A page on its way when cachemgr, or the frontend, dies: the reader gets his bytes.
for role in cachemgr frontend uploader.0; do
	must_start
	fault list:stall=1s:count=1
	get "$file" $((3000 * 4096)) 4096 >"got.$role" &
	reader=$!
	wait_for 10 eval 'adm "$admin/fault" | grep -q seen=1'
	kill -9 "$(role_pid "$role")"
	wait "$reader"
	no_fault
	is "$(sum <"got.$role")" "$(get want $((3000 * 4096)) 4096 | sum)" "$role dies while a page is asked for"
	stop_disk
done

echo "listBlocks = yes" >>"$conf"
mark=$(server_mark) before=$(listed_all)
listed_again() { [ "$(listed_all)" -gt "$before" ]; }
must_start
# To the end: a page on its way would be in the log of what comes next.
wait_for 20 listed_again
ok $? "listBlocks = yes lists at once"
le 4 "$(lists)" "with a request for each thousand blocks"
stop_disk
sed -i 's/^listBlocks = yes/listBlocks = no/' "$conf"
mark=$(server_mark)
must_start
is "$(block 3000)" "$(get want $((3000 * 4096)) 4096 | sum)" "listBlocks = no:"
is "$(lists)" 0 "nothing is listed"
le 2 "$(block_requests GET)" "and what is read is fetched, and what the kernel reads ahead"
stop_disk
done_testing
