#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys of the cache, each by what it does to requests: blockCacheSync, blockCacheTimeout,
# blockCacheNumProtected, blockCacheNoVerify, blockCacheMaxDirty, readAhead, readAheadTrigger, listBlocks,
# verifyReads, noAutoDetect.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
cache_conf() { write_conf size=8m blockSize=64k readAhead=0 listBlocks=no blockCacheWriteDelay=10m maxDirtyAge=1h "$@"; }
gets() { # gets BLOCK [COUNT]: how many requests it takes to read that
	mark=$(server_mark)
	dd if="$file" of=got bs=64k skip="$1" count="${2:-1}" iflag=direct status=none
	block_requests GET
}
object_of() { printf %08x "$1"; }

# ---- blockCacheSync -------------------------------------------------------------------------------
cache_conf blockCacheSync=yes blockCacheWriteDelay=0
must_start
mark=$(server_mark)
dd if=/dev/urandom of=block bs=64k count=1 status=none
dd if=block of="$file" bs=64k oflag=direct conv=notrunc status=none
is "$(block_requests PUT)" 1 "blockCacheSync: the write returns when the PUT has been answered"
cmp <(object "$(object_of 0)") block
ok $? "and the bucket has it"
quietly ctl set blockCacheSync no && quietly ctl set blockCacheWriteDelay 10m
mark=$(server_mark)
dd if=block of="$file" bs=64k seek=1 oflag=direct conv=notrunc status=none
is "$(block_requests PUT)" 0 "set to no while it runs, it is not waited for"
quietly ctl set blockCacheWriteDelay 0 && quietly ctl set blockCacheSync yes
mark=$(server_mark)
dd if=/dev/urandom of="$file" bs=64k seek=2 count=1 oflag=direct conv=notrunc status=none
le 1 "$(block_requests PUT)" "set to yes again, it is"
stop_disk

# ---- blockCacheTimeout ------------------------------------------------------------------------------
cache_conf blockCacheTimeout=300ms
must_start
gets 0 >/dev/null
wait_for 20 eval '[ "$(status cache.used)" = 0 ]'
ok $? "blockCacheTimeout: a clean block is forgotten"
is "$(gets 0)" 1 "and asked for again"
put "$file" $((5 * 65536)) 65536 dirty
wait_for 20 eval '[ "$(status cache.used)" = 1 ]'
is "$(status cache.dirtyBlocks)" 1 "a dirty one is not"
stop_disk
# ---- blockCacheNumProtected: 64 slots, the first four blocks last -----------------------------------
after_a_scan() { # after_a_scan KEY=VALUE...: how many of the first four have to be fetched again
	cache_conf size=64m blockCacheSize=64 force=yes "$@"
	must_start
	put "$file" $((500 * 65536)) $((100 * 65536)) many
	stop_disk # what is scanned below is new to the cache: a block that comes back is kept for that
	must_start
	put "$file" 0 $((4 * 65536)) head
	quietly ctl flush
	dd if="$file" of=/dev/null bs=64k skip=500 count=100 iflag=direct status=none
	gets 0 4
	stop_disk
}
is "$(after_a_scan blockCacheNumProtected=4)" 0 \
    "blockCacheNumProtected: the first blocks are there after everything went through"
le 1 "$(after_a_scan)" "without it they are not"

# ---- blockCacheNoVerify: somebody else has changed the object ----------------------------------------
noverify() { # noverify VALUE: reads block 0, whose object was changed while the disk was down
	cache_conf size=64m blockCacheFile="$work/cache" blockCacheSize=64 blockCacheNoVerify="$1" listBlocks=yes
	must_start
	put "$file" 0 65536 mine
	quietly ctl flush
	stop_disk
	random_file theirs 65536 theirs
	adm -T theirs "$admin/object/bkt/$(object_of 0)" >/dev/null
	must_start
	get "$file" 0 65536 >got
	stop_disk
	rm -f "$work/cache"*
}
noverify yes
cmp -s got put.tmp
ok $? "blockCacheNoVerify: what the cache file holds is trusted"
noverify no
cmp -s got theirs
ok $? "without it the change is noticed"

# ---- blockCacheMaxDirty -----------------------------------------------------------------------------
cache_conf size=64m blockCacheMaxDirty=4
must_start
fault 'put:503:count=100000'
dd if=/dev/urandom of="$file" bs=64k count=4 oflag=direct conv=notrunc status=none
dd if=/dev/urandom of="$file" bs=64k seek=10 count=10 conv=notrunc oflag=direct status=none &
second=$!
wait_for 10 eval '[ "$(status cache.dirtyBlocks)" = 4 ]'
ok $? "blockCacheMaxDirty: the fifth writer waits"
kill -0 "$second"
ok $? "for as long as nothing is uploaded"
le "$(status cache.dirtyBlocks)" 4 "and there are no more dirty blocks"
no_fault
wait "$second"
ok $? "then it goes on"
stop_disk

# ---- readAhead, readAheadTrigger ----------------------------------------------------------------------
cache_conf size=64m force=yes
must_start
put "$file" 0 $((64 * 65536)) seq
quietly ctl flush
stop_disk
ahead() { # ahead KEY=VALUE...: how many blocks are fetched when the first three are read
	cache_conf size=64m "$@"
	must_start
	mark=$(server_mark)
	for i in 8 9 10; do dd if="$file" of=/dev/null bs=64k count=1 skip="$i" iflag=direct status=none; done
	quietly ctl flush
	block_requests GET
	stop_disk
}
is "$(ahead readAhead=0)" 3 "readAhead = 0: only what is asked for"
le 4 "$(ahead readAhead=8)" "readAhead = 8: more"
is "$(ahead readAhead=8 readAheadTrigger=50)" 3 "readAheadTrigger = 50: not yet"

# ---- listBlocks, noAutoDetect, verifyReads ----------------------------------------------------------------
cache_conf size=64m listBlocks=no
rm -f "$run/log"
must_start
is "$(gets 200)" 1 "listBlocks = no: an absent block costs a request"
stop_disk
is "$(grep -c survey "$run/log")" 0 "there was no listing"
cache_conf size=64m listBlocks=yes
must_start
wait_for 10 grep -q 'survey of the bucket is complete' "$run/log"
ok $? "listBlocks = yes: there is one"
is "$(gets 200)" 0 "and it costs none"
stop_disk
for auto in yes no; do
	cache_conf size=1m blockSize= noAutoDetect=$auto prefix=auto-
	must_start
	echo "$auto $(status disk.blockSize)"
	stop_disk
done >auto.out
is "$(tr '\n' ' ' <auto.out)" "yes 4096 no 65536 " "noAutoDetect: the old program's default, nothing chosen"
cache_conf size=64m verifyReads=no
must_start
gets 3 >/dev/null
server_log "$mark" | grep ' GET .*00000003' | grep -qi 'checksum-mode'
is $? 1 "verifyReads = no: no checksum is asked for"
stop_disk
done_testing
