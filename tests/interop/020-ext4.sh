#!/bin/bash
# SPDX-License-Identifier: ISC
#
# One ext4 whose disk goes from one program to the other and back, with work left half done each
# time.  Ours keeps its cache file over the sessions of the old program, so what it holds is stale
# wherever the old program has written meanwhile.

LIMIT=500 NEEDS="fuse loop ext4"
. "$(dirname "$0")/lib.sh"

work_on() { # work_on DIRECTORY N: the N-th session; the same in two directories is the same tree
	local dir=$1/session.$2 i
	mkdir "$dir"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		random_file "$dir/noise.$i" $((i * 9973)) "$2.$i"
		yes "$i, session $2" | head -c $((i * 5003)) >"$dir/text.$i"
	done
	truncate -s 900000 "$dir/sparse"
	ln -s text.1 "$dir/link"
	# What sessions before have left is carried on: appended to, overwritten, cut, deleted, moved.
	[ "$2" -gt 1 ] || return 0
	local last=$1/session.$(($2 - 1))
	cat "$dir/noise.3" >>"$last/text.2"
	dd if="$dir/noise.4" of="$last/noise.12" bs=1 seek=33333 count=999 conv=notrunc status=none
	truncate -s 100 "$last/text.12"
	rm "$last/noise.11"
	mv "$last/noise.10" "$dir/"
}

start_one() { # start_one old|ours [SIZE-OPTIONS of a new disk]
	case $1 in
	old) old_start ${2:+--size="$2" --blockSize="$3"} && disk_file=$old_file ;;
	ours)
		# shellcheck disable=SC2086
		ours blockCacheFile="$work/cache" ${2:+size=$2 blockSize=$3}
		start_disk || { disk_log; return 1; }
		disk_file=$file
		;;
	esac
}
stop_one() {
	case $1 in
	old) old_stop ;;
	ours) stop_disk ;;
	esac
}

session() { # session PROGRAM...: takes turns, the first makes the file system
	local n=0 program
	rm -rf source cache* && mkdir -p source fs
	for program; do
		n=$((n + 1))
		if [ $n = 1 ]; then
			start_one "$program" 16m 64k
			ok $? "$combination: $program makes a disk" || return
			loop_up "$disk_file"
			quietly mkfs.ext4 -q -F "$loop"
			ok $? "mkfs.ext4"
		else
			start_one "$program"
			ok $? "$combination: over to $program" || return
			loop_up "$disk_file"
			quietly e2fsck -fn "$loop"
			ok $? "e2fsck finds nothing"
		fi
		mount_fs "$loop" "$work/fs" -t ext4
		ok $? "mount"
		quietly diff -r -x lost+found source fs
		ok $? "every file is there, byte for byte"
		work_on source $n && work_on fs $n
		[ $n != 2 ] || quietly fstrim fs
		quietly umount fs && loop_down "$loop"
		ok $? "work, unmount"
		stop_one "$program"
		ok $? "$program ends"
		is "$(server_keys "$prefix" | grep -c mounted)" 0 "and has given the disk up"
	done
}

from_there() { session old ours old ours; }
from_here() { session ours old ours; }

for_each_combination from_there from_here
done_testing
