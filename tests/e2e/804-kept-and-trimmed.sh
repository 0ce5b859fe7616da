#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A block was clean in the cache, was trimmed, and the trim flushed; before its object is deleted the power
# fails, and with it the strike of its entry in the table of clean slots, which nobody waits for.  The next
# start finds the old entry, the object that it names, and a journal that says "trimmed": which is right.

LIMIT=60 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

K64=65536 slots=64
side=$((4096 + 2 * ((slots * 128 + (8 << 20) + 4095) & ~4095))) # common/cachelayout.h
table() { dd if="$work/cache" bs=4096 skip=$side count=$((slots * 64)) iflag=skip_bytes,count_bytes status=none; }
has_entry() { table | tr -d '\0' | grep -q .; }

store s3
write_conf size=8m blockCacheFile="$work/cache" blockCacheSize=$slots blockCacheWriteDelay=0 listBlocks=yes
must_start
put "$file" $((9 * K64)) $K64 old
quietly ctl flush
wait_for 10 has_entry
ok $? "a clean block has its entry"
table >before
fault 'delete:503:count=100000'
fault 'bulk:503:count=100000'
fallocate -p -o $((9 * K64)) -l $K64 "$file"
sync "$file"
ok $? "the trim is flushed"
kill_disk
is "$(server_keys | grep -c '00000009$')" 1 "its object is there yet"
dd if=before of="$work/cache" bs=4096 seek=$side oflag=seek_bytes conv=notrunc status=none
no_fault
mark=$(($(wc -l <"$run/log") + 1))
must_start
is "$(get "$file" $((9 * K64)) $K64 | tr -d '\0' | wc -c)" 0 "zeros after the start"
listed() { [ "$(tail -n +"$mark" "$run/log" | grep -c 'survey of the bucket is complete')" = 1 ]; }
wait_for 20 listed
ok $? "the entry has been compared with the bucket"
put "$file" $((9 * K64)) 4096 new
is "$(get "$file" $((9 * K64 + 4096)) $((K64 - 4096)) | tr -d '\0' | wc -c)" 0 "and around what is written then"
quietly ctl flush
restart_cold
is "$(get "$file" $((9 * K64)) 4096 | sum)" "$(sum <put.tmp)" "the bucket has what was written"
is "$(get "$file" $((9 * K64 + 4096)) $((K64 - 4096)) | tr -d '\0' | wc -c)" 0 "and zeros"
stop_disk
done_testing
