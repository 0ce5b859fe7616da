#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Of the two programs one has the disk, and what a dead one has left is not overwritten.

LIMIT=300
. "$(dirname "$0")/lib.sh"

each_refuses() {
	new_model
	old_start --size=16m --blockSize=64k
	ok $? "$combination: the old program has the disk" || return
	ours size=16m blockSize=64k # nothing is in the bucket yet that could say it
	we_refuse "ours does not get it"
	ours size=16m blockSize=64k readOnly=yes
	we_refuse "nor does it read-only"
	scribble 1 model "$old_file"
	old_stop
	ok $? "the old program goes on, and ends"
	ours
	start_disk
	ok $? "now ours gets it" || { disk_log; return; }
	same_as "$file" "with all that was written"
	old_refuses "the old program does not"
	old_refuses "nor read-only" --readOnly
	scribble 2 model "$file"
	stop_disk
	ok $? "ours goes on, and ends"
	old_start
	ok $? "now the old program gets it"
	same_as "$old_file" "with all that was written"
	old_stop
}

a_disk() { # with a cache file, written to by ours
	rm -f cache*
	new_model
	ours size=16m blockSize=64k blockCacheFile="$work/cache" "$@"
	must_start
	scribble 1 model "$file"
}

changes_left_behind() {
	a_disk blockCacheWriteDelay=1h maxDirtyAge=2h flushTo=cache
	stop_disk --keep-dirty
	ok $? "stop --keep-dirty leaves changes in the cache file"
	old_refuses "the old program is kept out until they are uploaded" --size=16m --blockSize=64k
	ours size=16m blockSize=64k blockCacheFile="$work/cache"
	start_disk
	ok $? "ours starts again" || disk_log
	stop_disk
	old_start
	ok $? "and after a stop the old program may"
	same_as "$old_file" "with everything"
	old_stop
}

killed_here() {
	a_disk blockCacheWriteDelay=1h maxDirtyAge=2h flushTo=cache
	sync "$file"
	kill_disk
	ok $? "ours is killed with changes in its cache file"
	old_refuses "the old program is kept out" --size=16m --blockSize=64k
	ours size=16m blockSize=64k blockCacheFile="$work/cache"
	start_disk
	ok $? "ours takes its own token again" || disk_log
	stop_disk
	old_start
	same_as "$old_file" "nothing was lost"
	old_stop
}

killed_there() {
	new_model
	old_start --size=16m --blockSize=64k
	scribble 1 model "$old_file"
	wait_for 30 eval '[ "$(server_keys "$prefix" | wc -l)" -gt 11 ]'
	kill -KILL "$old_pid" && wait "$old_pid" 2>/dev/null
	umount -l "$old_mnt"
	ours
	we_refuse "the old program was killed: ours waits for a decision"
	quietly ctl reset-mounted-flag
	ok $? "reset-mounted-flag"
	start_disk
	ok $? "and ours gets the disk" || disk_log
	stop_disk
}

# Its --reset-mounted-flag is what its users know; then our cache file is out of date.
taken_meanwhile() {
	a_disk
	stop_disk
	ours blockCacheFile="$work/cache" blockCacheWriteDelay=1h maxDirtyAge=2h flushTo=cache
	must_start
	scribble 2 "$file"
	sync "$file"
	kill_disk
	quietly "$OLD" --baseURL="$url/" "${old_flags[@]}" --reset-mounted-flag bkt
	ok $? "the old program resets the token that ours has left"
	old_start
	ok $? "takes the disk"
	scribble 3 model "$old_file"
	old_stop
	local before out
	before=$(objects)
	out=$(s3backerd -c "$conf" start 2>&1)
	is $? 1 "ours does not start with changes that are older than that"
	note "$out"
	is "$(objects)" "$before" "and the bucket keeps what the old program has written"
	stop_disk 2>/dev/null
}

# The old program asks nobody, and at its end removes whatever token is there.
forced_there() {
	a_disk leaseTime=2s
	wait_for 30 is_clean
	old_start --force
	ok $? "the old program takes the disk by force"
	wait_for 30 lease_is_over
	cp --sparse=always "$old_file" model
	scribble 2 "$file" 2>/dev/null
	wait_for 30 state_is fenced
	ok $? "ours notices before its next write to the bucket" || note "state: $(status state)"
	scribble 3 model "$old_file"
	stop_disk --keep-dirty
	is "$(server_keys "$prefix" | grep -c mounted)" 1 "and leaves the other's token alone"
	old_stop
	old_start
	same_as "$old_file" "nothing of what it wrote meanwhile is in the bucket"
	old_stop
}
lease_is_over() { [ "$(status disk.leaseSec)" = 0 ]; }

for_each_combination each_refuses
COMBINATIONS=plain
for_each_combination changes_left_behind killed_here killed_there taken_meanwhile forced_there
done_testing
