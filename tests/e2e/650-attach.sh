#!/bin/bash
# SPDX-License-Identifier: ISC
#
# attach and detach: a file system of the disk in one step and back, with ext4, XFS and btrfs; nothing
# is overwritten, nothing is left over after a failure, and who is in the way is named.

LIMIT=120 NEEDS="fuse loop ext4 xfs btrfs mkfs.ext4 mkfs.xfs mkfs.btrfs blkid"
. "$(dirname "$0")/lib.sh"

fs=$work/fs
mkdir -p "$fs"
on_exit umount -l "$fs"
store dir
write_conf size=400m blockSize=256k blockCacheSize=600

loops() { losetup -n -O NAME,BACK-FILE | awk -v f="$file" '$2 == f { print $1 }'; }
no_loops() { [ -z "$(loops)" ]; }
mounted_type() { awk -v d="$fs" '$2 == d { print $3 }' /proc/self/mounts; }
refused() { # refused EXIT REGEX sentence COMMAND...
	local want=$1 regex=$2 sentence=$3 out status
	shift 3
	out=$(ctl "$@" 2>&1)
	status=$?
	is "$status" "$want" "$sentence: exit $want"
	has "$out" "$regex" "$sentence: says so"
	wait_for 10 no_loops
	ok $? "$sentence: no loop device is left"
}

refused 3 'is not running .s3backerd -c .* start\)' "a disk that does not run" attach "$fs"
must_start

# ---- errors of those who do it the first time ---------------------------------------------------
refused 1 "there is no file system.*--mkfs" "an empty disk" attach "$fs"
refused 1 "mkdir -p $work/nowhere" "a directory that is not there" attach "$work/nowhere"
refused 2 'ext4, xfs or btrfs' "an unknown type" attach --mkfs --fs ntfs "$fs"
refused 1 'mount: see above' "mount options that are none" attach --mkfs -o nonsense=1 "$fs"
wipefs -qa "$file"

# ---- three file systems -------------------------------------------------------------------------
for type in ext4 xfs btrfs; do
	ctl attach --fs $type --mkfs "$fs" >out 2>err
	is $? 0 "$type: attach --mkfs" || cat err >&2
	is "$(mounted_type)" $type "$type: it is mounted"
	loop=$(loops)
	is "$(cat /sys/block/"${loop##*/}"/queue/logical_block_size)" 4096 "$type: sectors of 4096 bytes"
	is "$(cat /sys/block/"${loop##*/}"/loop/dio)" 1 "$type: direct I/O"
	random_file "$fs/data" 3000000 $type
	sum <"$fs/data" >sum
	has "$(ctl attach --fs $type --mkfs "$fs")" 'attached already' "$type: once more is no error"
	ctl detach "$fs" >out 2>err
	is $? 0 "$type: detach" || cat err >&2
	is "$(mounted_type)" "" "$type: nothing is mounted"
	no_loops
	ok $? "$type: the loop device has ended"
	has "$(ctl detach "$fs")" 'nothing is mounted' "$type: detach once more is no error"
	refused 1 "the disk holds $type" "$type: mkfs over it" attach --mkfs "$fs"
	is "$(jq -r .fs <<<"$(ctl --json attach "$fs")")" $type "$type: attach finds out what it is"
	is "$(sum <"$fs/data")" "$(cat sum)" "$type: the data is there"
	umount "$fs"
	wait_for 10 no_loops
	ok $? "$type: a plain umount ends the loop device as well"
	[ $type = btrfs ] || wipefs -qa "$file"
done

# ---- in the way ---------------------------------------------------------------------------------
refused 1 'holds btrfs' "another type than what is there" attach --fs ext4 "$fs"
quietly ctl attach "$fs"
(cd "$fs" && exec sleep 60) &
holder=$!
on_exit stop_pid $holder sleep
in_there() { [ "$(readlink /proc/$holder/cwd)" = "$fs" ] && [ "$(cat /proc/$holder/comm)" = sleep ]; }
wait_for 10 in_there
out=$(ctl detach "$fs" 2>&1)
is $? 1 "detach of a busy mount: exit 1"
has "$out" "$fs is in use by sleep \(pid $holder\)" "and says who holds it"
is "$(mounted_type)" btrfs "it stays mounted"
has "$(s3backerd -c "$conf" stop 2>&1)" "mounted on $fs" "stop says where the disk is attached"
kill $holder
wait $holder 2>/dev/null
mkdir -p other
has "$(ctl attach "$work/other" 2>&1)" "attached already: .* mounted on $fs .*detach $fs" \
    "a second directory: where it is"
ctl detach "$fs" >/dev/null
mount -t tmpfs none "$fs"
has "$(ctl attach "$fs" 2>&1)" "$fs is in use: none \(tmpfs\)" "a directory in use"
has "$(ctl detach "$fs" 2>&1)" "not a disk of s3backer" "what is no disk is not unmounted"
is "$(mounted_type)" tmpfs "and stays"
umount "$fs"

# ---- sectors as the file system wants them --------------------------------------------------------
wipefs -qa "$file"
mkfs.ext4 -q -b 1024 "$file"
quietly ctl attach "$fs"
ok $? "a file system with small blocks is mounted"
loop=$(loops)
is "$(cat /sys/block/"${loop##*/}"/queue/logical_block_size)" 1024 "on a device with small sectors"
ctl detach "$fs" >/dev/null
quietly stop_disk
ok $? "stop"
nothing_left "nothing is left"
done_testing
