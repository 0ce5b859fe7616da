#!/bin/bash
# SPDX-License-Identifier: ISC
#
# However many writers wait for room, because nothing can be uploaded: readers are served, from the cache
# and from the bucket.

LIMIT=90
. "$(dirname "$0")/lib.sh"

block() { dd if="$1" bs=64k skip="$2" count=1 status=none "${@:3}"; }
write_one() { dd if=noise of="$file" bs=64k skip="$1" seek=$((128 + $1)) count=1 oflag=direct conv=notrunc status=none && : >"done.$1"; }
written() { set -- done.*; [ -e "$1" ] && echo $# || echo 0; }
have_written() { [ "$(written)" = "$1" ]; }

store s3
write_conf size=64m blockCacheSize=64 readAhead=0 blockCacheWriteDelay=0 timeout=3s
must_start
put "$file" 0 $((2 << 20)) old
cp put.tmp old
random_file noise $((6 << 20)) noise
restart_cold
block "$file" 3 iflag=direct | cmp -s - <(block old 3)
ok $? "block 3 is cached"
fault 'put:key=*0000*:stall=600s'
# Sixty-four slots, of which 55 may be dirty, and 95 writers.
writers=
for i in $(seq 0 94); do
	write_one "$i" &
	writers="$writers $!"
done
wait_for 60 have_written 55
ok $? "as many writers as there is room for are done" || note "done: $(written)"
timeout 30 dd if="$file" bs=64k skip=3 count=1 iflag=direct status=none | cmp -s - <(block old 3)
ok $? "a block that was cached"
for i in 4 11 18 25; do
	timeout 30 dd if="$file" bs=64k skip=$i count=1 iflag=direct status=none | cmp -s - <(block old $i)
	ok $? "block $i, which has to be fetched"
done
is "$(written)" 55 "and all other writers still waited"
no_fault
for i in $writers; do wait "$i"; done
is "$(written)" 95 "they go on when the bucket takes what is there"
cmp -s <(dd if="$file" bs=64k skip=128 count=95 iflag=direct status=none) <(head -c $((95 * 65536)) noise)
ok $? "and all bytes are right"
stop_disk
ok $? "stop"
done_testing
