#!/bin/bash
# SPDX-License-Identifier: ISC
#
# resize of a disk that runs: it grows under a file system that is being written to, nobody notices but
# by waiting a moment, and the bucket records the new size; when that cannot be written, all stays.

LIMIT=150 NEEDS="fuse loop btrfs mkfs.btrfs"
. "$(dirname "$0")/lib.sh"

fs=$work/fs
mkdir -p "$fs"
on_exit umount -l "$fs"

grow() { # grow NAME KEYS...
	local what=$1 loop writer n
	shift
	write_conf "grow.$what" size=128m blockSize=256k prefix="$what-" "$@"
	must_start
	quietly ctl attach --mkfs --fs btrfs "$fs"
	ok $? "$what: attach"
	random_file "$fs/before" 5000000 before
	sum <"$fs/before" >before.sum
	# Somebody writes all the time, and reads back what he wrote.
	rm -f enough bad
	(
		n=0
		while [ ! -e enough ]; do
			n=$((n + 1))
			random_file "$fs/busy" 300000 "$n" && sync "$fs/busy" || : >bad
			[ "$(sum <"$fs/busy")" = "$(random_file busy.want 300000 $n && sum <busy.want)" ] || : >bad
		done
	) &
	writer=$!
	room=$(df --output=size -k "$fs" | tail -n 1)
	out=$(ctl resize 32m 2>&1)
	is $? 1 "$what: a running disk does not shrink"
	has "$out" 'can only grow \(stop it' "$what: says so"
	ctl resize 256m >out 2>&1
	is $? 0 "$what: resize while it is in use" || cat out >&2
	has "$(cat out)" "$file: 256 MiB" "$what: the file has grown"
	is "$(stat -c %s "$file")" $((256 << 20)) "$what: for everybody"
	loop=$(losetup -n -O NAME,BACK-FILE | awk -v f="$file" '$2 == f { print $1 }')
	has "$(cat out)" "next: losetup -c $loop && btrfs filesystem resize max $fs" "$what: what to do next is said"
	losetup -c "$loop" && quietly btrfs filesystem resize max "$fs"
	ok $? "$what: which works"
	is "$(blockdev --getsize64 "$loop")" $((256 << 20)) "$what: the loop device has the new size"
	le $((room + 100000)) "$(df --output=size -k "$fs" | tail -n 1)" "$what: there is more room"
	random_file "$fs/after" 20000000 after
	sum <"$fs/after" >after.sum
	: >enough
	wait $writer
	[ ! -e bad ]
	ok $? "$what: who was writing saw no error"
	is "$(sum <"$fs/before")" "$(cat before.sum)" "$what: the data of before"
	is "$(status disk.size)" $((256 << 20)) "$what: status says so"
	ctl detach "$fs" >/dev/null
	quietly stop_disk
	ok $? "$what: stop"
	is "$(ctl --json info | jq .size)" $((256 << 20)) "$what: the bucket says so"
	sed -i '/^size/d' "$conf"
	quietly restart_cold_from_stopped
	quietly ctl attach "$fs"
	is "$(sum <"$fs/before") $(sum <"$fs/after")" "$(cat before.sum) $(cat after.sum)" \
	    "$what: every byte, with a cold cache"
	ctl detach "$fs" >/dev/null
	stop_disk
}
restart_cold_from_stopped() { empty_cache && start_disk; }

store s3
grow file blockCacheFile="$work/cache" blockCacheSize=200
grow memory blockCacheSize=200

# The headers cannot be written: the disk stays as it is, and goes on.
write_conf refused size=16m blockSize=64k prefix=refused- blockCacheFile="$work/cache2" blockCacheSize=64
must_start
put "$file" 0 100000 x
ctl flush >/dev/null
fault 'get:403=AccessDenied:key=refused-00000000'
out=$(ctl resize 32m 2>&1)
is $? 1 "the store refuses: exit 1"
has "$out" 'resize: the first block cannot be read' "and why"
no_fault
is "$(stat -c %s "$file")" $((16 << 20)) "the size stays"
is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "and the disk works"
ctl resize 32m >/dev/null
is $? 0 "once more, when it can be"
put "$file" $((30 << 20)) 1000000 behind
sed -i '/^size/d' "$conf"
quietly restart_cold
is "$(get "$file" $((30 << 20)) 1000000 | sum)" "$(sum <put.tmp)" "data behind the old end stays"
stop_disk
ok $? "stop"

# A disk whose key is an object in the bucket: new processes get it from the ones before.
write_conf gcm size=16m blockSize=64k prefix=gcm- encrypt=AES-256-GCM password=geheimgeheim
must_start
put "$file" 0 300000 x
quietly s3backerd -c "$conf" restart
ok $? "AES-256-GCM: restart"
has "$(ctl resize 32m)" '32.0 MiB' "AES-256-GCM: resize"
is "$(get "$file" 0 300000 | sum)" "$(sum <put.tmp)" "AES-256-GCM: every byte"
stop_disk
nothing_left "nothing is left"
done_testing
