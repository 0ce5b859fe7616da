# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# pair.sh -- the same file system twice: on a plain file, and on a disk of ours.
#
#	. "$(dirname "$0")/pair.sh"
#	for_each_fs FUNCTION...		for ext4, XFS and btrfs, or those that $FS names
#	  pair_up [KEY=VALUE...]	makes and mounts both: $work/plain/fs and $work/disk/fs
#	  on_both COMMAND...		at the same time, each in $work/SIDE, output in SIDE/out
#	  same FILE sentence		plain/FILE and disk/FILE are equal
#	  pair_cold			unmount, fsck; the disk starts with an empty cache; mount
#	  pair_down			unmount, fsck, stop
#
# A function finds the type in $type.  $long is not empty for `make check-fs`: then there is time.

long=${FS_LONG:-}
LIMIT=${LIMIT:-$([ "$long" ] && echo 3000 || echo 600)}
NEEDS=${NEEDS:-"fuse loop xfs_io"}
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

SEED=${SEED:-1}
FS_SIZE=${FS_SIZE:-320m} # XFS wants 300 MiB

mkfs_of() { # mkfs_of TYPE
	case $1 in
	ext4) echo "mkfs.ext4 -q -F" ;;
	xfs) echo "mkfs.xfs -q -f" ;;
	btrfs) echo "mkfs.btrfs -q -f" ;;
	esac
}

fsck_of() { # fsck_of TYPE: changes nothing; the log must be empty
	case $1 in
	ext4) echo "e2fsck -fn" ;;
	xfs) echo "xfs_repair -n" ;;
	btrfs) echo "btrfs check --readonly" ;;
	esac
}

for_each_fs() {
	local f tested=0
	for type in ${FS:-ext4 xfs btrfs}; do
		grep -qw "$type" /proc/filesystems || modprobe -q "$type" 2>/dev/null
		if grep -qw "$type" /proc/filesystems && command -v "mkfs.$type" >/dev/null; then
			tested=$((tested + 1))
			for f; do "$f"; done
		else
			note "no $type here"
		fi
	done
	[ "$tested" != 0 ] || skip_all "none of the file systems"
}

# The cache holds less than what the tests write.
pair_up() {
	[ "${store:-}" ] || store s3
	write_conf "$type" size="$FS_SIZE" blockSize=64k blockCacheFile="$work/cache.$type" \
	    blockCacheSize=600 blockCacheWriteDelay=300ms prefix="$type-" "$@"
	must_start
	rm -rf plain disk && mkdir plain disk
	truncate -s "$FS_SIZE" plain.img
	loops_up
	# shellcheck disable=SC2046 # words
	quietly $(mkfs_of "$type") "$plain_loop" && quietly $(mkfs_of "$type") "$disk_loop"
	ok $? "$(mkfs_of "$type")" || done_testing
	mount_both
}

loops_up() {
	loop_up "$work/plain.img" && plain_loop=$loop
	loop_up "$file" && disk_loop=$loop
}

mount_both() {
	mount_fs "$plain_loop" plain/fs -t "$type" && mount_fs "$disk_loop" disk/fs -t "$type"
	ok $? "$type: mount" || done_testing
}

unmount_both() {
	local fsck
	fsck=$(fsck_of "$type")
	wait_for 20 umount plain/fs && wait_for 20 umount disk/fs
	ok $? "$type: unmount" || done_testing
	# shellcheck disable=SC2086 # words
	quietly $fsck "$plain_loop"
	ok $? "$fsck, plain file"
	# shellcheck disable=SC2086
	quietly $fsck "$disk_loop"
	ok $? "$fsck, our disk"
	loop_down "$plain_loop" && loop_down "$disk_loop"
}

pair_cold() {
	unmount_both
	restart_cold
	ok $? "$type: stop, empty cache, start" || done_testing
	loops_up
	mount_both
}

pair_down() {
	unmount_both
	stop_disk
	ok $? "$type: stop" || disk_log
	rm -rf "$cache" "$cache.state" plain.img plain disk
}

on_both() { # the status is that of the worse
	local side pids=() status=0 p
	for side in plain disk; do
		(cd "$work/$side" && "$@") >"$side/out" 2>&1 &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || status=$?; done
	[ "$status" = 0 ] || tail -n 60 plain/out disk/out | sed 's/^/# /' >&2
	return "$status"
}

# What our disk says is shown with what the plain file says instead.
same() {
	cmp -s "plain/$1" "disk/$1"
	ok $? "$2" || diff "plain/$1" "disk/$1" | head -n 20 | sed 's/^/# /' >&2
}
