#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What the journal of the cache file calls dirty or deleted, and what has become of it when a cache
# manager is killed before it could say so: its successor corrects the journal with its next batch, so
# neither a stop nor a power cut brings the old state back over what the bucket holds.  Nor does it forget
# a delete that nobody could make yet.

LIMIT=90 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

K64=65536
is_replaced() { [ "$(role_pid cachemgr)" != "$1" ] && state_is running; }

kill_cachemgr() {
	local old
	old=$(role_pid cachemgr)
	kill -KILL "$old"
	wait_for 20 is_replaced "$old"
	ok $? "another cache manager"
}

# Block 1: written, trimmed, flushed: the journal says it is to be deleted.  Written again, and in the
# bucket before anybody flushes.  Block 2: half of it flushed, the other half only in the bucket.
prepare() {
	write_conf "$1" prefix="$1-" size=8m blockCacheFile="$work/cache.$1" blockCacheSize=64 \
	    blockCacheWriteDelay=60s
	must_start
	put "$file" $K64 $K64 old
	ctl flush >/dev/null
	fallocate -p -o $K64 -l $K64 "$file"
	put "$file" $((2 * K64)) 4096 "half"
	sync "$file"
	put "$file" $K64 $K64 new
	put "$file" $((2 * K64 + 4096)) 4096 "other half"
	ctl set blockCacheWriteDelay 20ms >/dev/null
	wait_for 20 is_clean
	ok $? "$1: the bucket has all of it"
	kill_cachemgr
}

all_there() { # all_there HOW
	ctl flush >/dev/null
	restart_cold
	is "$(get "$file" $K64 $K64 | sum)" "$(random_file /dev/stdout $K64 new | sum)" "$1: trimmed and written again"
	is "$(get "$file" $((2 * K64)) 8192 | sum)" \
	    "$({ random_file /dev/stdout 4096 half; random_file /dev/stdout 4096 "other half"; } | sum)" \
	    "$1: written in two halves"
	stop_disk
}

store s3
prepare stop
stop_disk && start_disk
ok $? "stop, start with the cache"
all_there "stop and start"

prepare cut
sync "$file"
ok $? "flushed"
kill_disk
start_disk
ok $? "all processes killed at once, start"
all_there "a flush, and the end of everything"

objects() { server_keys deletes- | grep -cE -- '-[0-9a-f]{8}$'; }

# What is to be deleted is only in the journal's beginning that the successor writes.
write_conf deletes prefix=deletes- size=8m blockCacheFile="$work/cache.deletes" blockCacheSize=64
must_start
put "$file" 0 $((8 * K64)) old
quietly ctl flush
fault 'delete:503:count=100000'
fault 'bulk:503:count=100000'
fallocate -p -o $K64 -l $((2 * K64)) "$file"
fallocate -p -o $((5 * K64)) -l $K64 "$file"
sync "$file"
kill_cachemgr
put "$file" $((7 * K64)) 4096 "something to be written down"
sync "$file"
kill_disk
is "$(objects)" 8 "deletes: none has been made"
no_fault
start_disk
ok $? "deletes: all processes killed at once, start"
is "$(get "$file" $K64 $((2 * K64)) | tr -d '\0' | wc -c)" 0 "deletes: two blocks are zeros"
is "$(get "$file" $((5 * K64)) $K64 | tr -d '\0' | wc -c)" 0 "deletes: and one"
quietly ctl flush
is "$(objects)" 5 "deletes: the bucket has what is left"
stop_disk
done_testing
