#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Who loses the mount token stops writing by itself: token replaced by hand; a machine that stood
# still for longer than its lease.  What it had not uploaded is kept, and the user decides.

LIMIT=180
. "$(dirname "$0")/lib.sh"

# Blocks that were written or deleted since $mark.
changes() {
	server_log "$mark" | awk '$6 >= 200 && $6 < 300 { print $3, $9 }' |
	    grep -cE '^POST|^(PUT|DELETE) .*[0-9a-f]{8}$'
}
replace_token() { # as another machine would do it
	printf 'other.example\n20261124T194500Z\nboot: 1\npid: 77\ninstance: 1234\n' |
	    adm -X PUT -H 'x-amz-meta-s3backer-mount-token: 0badcafe' --data-binary @- \
		"$admin/object/bkt/$1s3backer-mounted" >/dev/null
}
token() { adm -D - -o /dev/null "$admin/object/bkt/$1s3backer-mounted" | grep -i mount-token | tr -d '\r' | cut -d' ' -f2; }
above() { [ "$(status "$2")" -gt "$1" ]; }
puts_have_ended() { # none in three seconds
	mark=$(server_mark) && sleep 3 && [ "$(changes)" = 0 ]
}
write_fails() { ! dd if=/dev/zero of="$file" bs=4k count=1 seek=9 oflag=direct conv=notrunc 2>err; }
starts_not() { # starts_not REGEX sentence FLAGS...
	local out
	out=$(s3backerd -c "$conf" start "${@:3}" 2>&1)
	is $? 1 "$2: refused"
	has "$out" "$1" "$2: and why"
	nothing_left "$2: nothing is left"
}

by_hand() {
	write_conf hand prefix=hand- size=32m blockCacheFile="$work/cache" leaseTime=2s blockCacheWriteDelay=100ms
	must_start
	is "$(status disk.fence)" strong "strong fence"
	le "$(status disk.leaseSec | cut -d. -f1)" 2 "status shows the lease, seconds"
	put "$file" 0 $((16 << 16)) first
	mark=$(server_mark)
	sync "$file" && ctl flush
	is "$(changes)" 16 "16 blocks are in the bucket"
	fault 'put:key=*0000*:503'
	put "$file" 0 $((8 << 16)) second
	sync "$file"
	wait_for 10 above 0 transfers.put.retried
	ok $? "8 of them have changed, and cannot be uploaded"
	replace_token hand-
	wait_for 15 state_is fenced
	ok $? "fenced within some leases" || status_json >&2
	has "$(status why)" 'no longer ours.*FENCED DISKS' "and why"
	is "$(status disk.leaseSec)" 0 "no lease"
	no_fault
	mark=$(server_mark)
	wait_for 5 write_fails
	ok $? "writes fail"
	has "$(cat err)" 'Input/output error' "with EIO"
	dd if=/dev/zero of="$file" bs=4k count=1 seek=1000 oflag=direct conv=notrunc 2>/dev/null
	is $? 1 "also of blocks that are not cached"
	is "$(get "$file" 0 $((8 << 16)) | sum)" "$(sum <put.tmp)" "what is cached can be read"
	ctl flush 2>err
	is $? 1 "flush fails"
	has "$(s3backerctl -c "$conf" mounted-flag)" 'other.example pid 77 since 2026-11-24 19:45:00' "mounted-flag: who has it"
	local out
	out=$(s3backerd -c "$conf" stop 2>&1)
	is $? 0 "stop works"
	has "$out" '512\.?0? ?[kK]' "and says how much is kept"
	has "$out" 'FENCED DISKS' "and where to read on"
	nothing_left "nothing is left"
	is "$(changes)" 0 "nothing was changed in the bucket"
	is "$(token hand-)" 0badcafe "nor was their token"
}

# The other has finished meanwhile.
the_user_decides() {
	put "$work/theirs" 0 65536 theirs
	starts_not 'other.example' "while the other has it"
	has "$(s3backerctl -c "$conf" reset-mounted-flag)" 'released.*other.example' "reset-mounted-flag"
	has "$(s3backerctl -c "$conf" reset-mounted-flag)" 'nobody holds' "once more: nobody has it"
	adm -X PUT --data-binary @"$work/theirs" "$admin/object/bkt/hand-00000003" >/dev/null
	starts_not 'holds changes that were never uploaded .8 blocks.*--dirty=upload' "our changes are older than theirs"
	is "$(token hand-)" "" "no token stays behind"
	starts_not 'holds changes' "asked once more"
	start_disk --dirty=set-aside
	ok $? "start --dirty=set-aside" || disk_log
	is "$(get "$file" $((3 << 16)) 65536 | sum)" "$(sum <"$work/theirs")" "shows what is in the bucket"
	stop_disk
	local aside
	aside=$(ls "$work"/cache.aside-*)
	ok $? "the file is there, under another name"
	mv "$aside" "$work/cache"
	starts_not 'holds changes' "put back"
	start_disk --dirty=upload
	ok $? "start --dirty=upload" || disk_log
	random_file put.tmp $((8 << 16)) second
	is "$(get "$file" 0 $((8 << 16)) | sum)" "$(sum <put.tmp)" "shows what we had"
	stop_disk
	is "$(for i in 0 1 2 3 4 5 6 7; do object hand-0000000$i; done | sum)" "$(sum <put.tmp)" "and uploads it"
	start_disk
	ok $? "after that all is as ever"
	stop_disk
}

# There is nowhere to keep it, which is said while something can be done.
in_memory() {
	local out
	write_conf memory prefix=memory- size=32m leaseTime=2s blockCacheWriteDelay=100ms
	must_start
	fault 'put:key=memory-0*:503'
	put "$file" 0 65536 x
	wait_for 10 above 0 transfers.put.retried
	replace_token memory-
	wait_for 15 state_is fenced
	ok $? "memory cache: fenced" || status_json >&2
	has "$(status why)" 'in memory alone: copy what is needed.*FENCED DISKS.$' "status says what can be done"
	is "$(get "$file" 0 65536 | sum)" "$(sum <put.tmp)" "and it can still be copied"
	out=$(s3backerd -c "$conf" stop 2>&1)
	has "$out" 'fenced, and without a cache file its changes are lost' "stop says what was lost"
	has "$(cat "$run/log")" 'changes in memory are lost: dirty_bytes=65536' "so does the log"
	no_fault
}

# Takes over while we stand still; some of our PUTs are half sent, others wait.
asleep() {
	local pids theirs
	write_conf one prefix=sleep- size=32m blockCacheFile="$work/cache.one" leaseTime=2s \
	    blockCacheWriteDelay=100ms maxTransfers=8
	must_start
	put "$file" 0 65536 x
	sync "$file"
	adm -X POST "$admin/bandwidth?up=300000" >/dev/null
	put "$file" 0 $((64 << 16)) x
	sync "$file"
	wait_for 10 above 5 transfers.inFlight
	ok $? "uploading"
	pids=$(disk_pids)
	# shellcheck disable=SC2086 # a list
	kill -STOP $pids
	adm -X POST "$admin/bandwidth?up=0" >/dev/null
	# What has left before is the store's to finish; longer than the lease, too.
	wait_for 30 puts_have_ended
	ok $? "for longer than its lease"
	write_conf two prefix=sleep- size=32m runDir="$work/run2" leaseTime=2s
	run=$work/run2 && mkdir "$run" && on_exit burn_disk "$run" "$mnt"
	s3backerctl -c "$conf" reset-mounted-flag >/dev/null
	ok $? "another machine resets the flag"
	start_disk
	ok $? "and starts" || disk_log
	put "$file" 0 $((64 << 16)) theirs
	sync "$file" && ctl flush
	theirs=$(for k in $(blocks sleep-); do object "$k"; done | sum)
	is "$theirs" "$(sum <put.tmp)" "what it writes is in the bucket"
	mark=$(server_mark)
	# shellcheck disable=SC2086
	kill -CONT $pids
	use_disk one
	wait_for 20 state_is fenced
	ok $? "the first wakes up, and is fenced" || status_json >&2
	le 1 "$(status cache.dirtyBlocks)" "with dirty blocks"
	quietly timeout 60 s3backerd -c "$conf" stop
	ok $? "stop"
	is "$(changes)" 0 "it has changed nothing in the bucket"
	is "$(for k in $(blocks sleep-); do object "$k"; done | sum)" "$theirs" "where the other's bytes are"
	use_disk two
	run=$work/run2
	is "$(status state)" running "which goes on"
	stop_disk
}

store s3
by_hand
the_user_decides
in_memory
asleep
done_testing
