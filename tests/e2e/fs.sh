# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# fs.sh -- a file system on the disk, through a loop device: what 020, 021 and 022 have in common.
#
# fs_on_disk TYPE MKFS CHECK: copies files, unmounts, checks, and compares everything once more
# when each byte has to come from the bucket.

tree() { # tree DIRECTORY: a few hundred files, some of them changed afterwards
	mkdir -p "$1"
	cp -a /usr/share/perl5 "$1/a"
	cp -a /usr/include/linux "$1/c"
	mkdir "$1/b"
	local i
	for i in 1 2 3 4 5 6 7 8; do random_file "$1/b/$i" $((i * 999983)) "$i"; done
	rm "$1/b/3"
	truncate -s 1000000 "$1/b/5"
	random_file tail 777777 t
	dd if=tail of="$1/b/6" bs=1M seek=2000001 oflag=seek_bytes conv=notrunc status=none
}

fs_mounted() { # fs_mounted TYPE: loop device and mount at $work/fs
	loop_up "$file" && mount_fs "$loop" "$work/fs" -t "$1"
}
fs_unmounted() { umount "$work/fs" && loop_down "$loop"; }

fs_on_disk() {
	local type=$1 mkfs=$2 check=$3
	write_conf size=$4 blockSize=$5 ${cache_file:+blockCacheFile="$work/cache"}
	must_start
	loop_up "$file"
	ok $? "a loop device on the file"
	quietly $mkfs "$loop"
	ok $? "$mkfs"
	mount_fs "$loop" "$work/fs" -t "$type"
	ok $? "mount"
	tree "$work/fs" && tree "$work/source"
	quietly diff -r -x lost+found "$work/source" "$work/fs"
	ok $? "$(find source -type f | wc -l) files, $(du -sm source | cut -f1) MiB copied"
	quietly fstrim "$work/fs"
	ok $? "fstrim"
	fs_unmounted
	ok $? "unmount, detach"
	quietly restart_cold
	ok $? "stop, empty cache, start" || disk_log
	loop_up "$file"
	quietly $check "$loop"
	ok $? "$check"
	loop_down "$loop"
	quietly restart_cold
	ok $? "cold again" || disk_log
	fs_mounted "$type"
	ok $? "mount"
	quietly diff -r -x lost+found "$work/source" "$work/fs"
	ok $? "every file as it was written"
	local full
	sync -f "$work/fs" && quietly ctl flush
	full=$(blocks | wc -l)
	rm -rf "$work/fs/a" && sync -f "$work/fs" && quietly fstrim "$work/fs"
	ok $? "delete, fstrim"
	fs_unmounted
	stop_disk
	ok $? "stop" || disk_log
	note "$full blocks before, $(blocks | wc -l) after"
	[ "$(blocks | wc -l)" -lt "$full" ]
	ok $? "trimmed blocks have gone from the bucket"
	nothing_left "nothing is left"
}
