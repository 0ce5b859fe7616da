# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# generic.sh -- what the generic group of xfstests does most: xfs_io, a file for each case.  The output
# of generic_cases, which works in $PWD/fs, is to be the same on two file systems of one kind.

io() { xfs_io "$@" 2>&1 | sed 's/ ([0-9.]* [KMGiB]*\/sec.*//; s/, [0-9.:]* sec .*//; s/^.*ops; .*/done/'; }
state() { # state FILE: what is in it, when it is on the disk
	sync "$1"
	stat -c 'size %s' "$1"
	md5sum <"$1"
}
where() { # where FILE: not one with space that was only reserved: there it depends on what is cached
	xfs_io -r -c "seek -a -r 0" "$1"
}

holes() { # holes LONG: data between holes, shifted, punched, zeroed
	local op n=0
	for op in "fpunch 96k 64k" "fzero 96k 64k" "fzero -k 1000k 64k" "fcollapse 64k 128k" "finsert 64k 64k" \
	    "falloc 2m 64k" "falloc -k 3m 64k" "fpunch 1000 3000" "fzero 70000 1" "fcollapse 0 1" "finsert 1 4k" \
	    "fcollapse 0 1g" "truncate 100001" "truncate 900k" "fpunch 0 10m" "unshare 0 256k"; do
		n=$((n + 1))
		[ "$1" ] || [ $((n % 2)) = 1 ] || continue
		echo "== $op"
		io -f -t -c "pwrite -S 1 0 64k" -c "pwrite -S 2 128k 64k" -c "pwrite -S 3 256k 256k" \
		    -c "pwrite -S 4 900k 1k" -c fsync h
		io -c "$op" h
		state h
		io -c "pwrite -S 5 33k 7k" -c "$op" -c "pwrite -S 6 140k 11k" -c fdatasync h
		state h
		case $op in fpunch* | fcollapse* | trunc*) where h ;; esac
	done
}

mixes() { # mixes LONG: mapped, direct and buffered writes of the same places, with holes made between
	local i
	rm -f m
	for ((i = 1; i <= (${#1} > 0 ? 8 : 4); i++)); do
		io -f -c "pwrite -S $i 0 256k" -c "mmap -rw 0 256k" -c "mwrite -S 1$i ${i}k 9k" m
		io -d -c "pwrite -S 2$i $((i * 16))k 16k" -c "pread -v $((i * 16 - 4))k 64" m | md5sum
		io -c "mmap -rw 0 256k" -c "fpunch $((i * 20))k 8k" -c "mwrite -S 3$i $((i * 20 + 4))k 8k" -c "msync -s" m
		io -d -c "pread -v $((i * 20))k 16k" m | md5sum
		md5sum <m
	done
	state m
	where m
}

ends() { # the last block, and far behind it
	io -f -c "truncate 1t" -c "pwrite -S 9 1099511620000 7776" -c "pwrite -S 8 500g 1" -c fsync e
	stat -c 'size %s' e
	xfs_io -r -c "seek -a -r 0" e
	io -r -c "pread -v 500g 16" -c "pread -v 1099511620000 16" -c "pread 1099511627776 1" e
	io -c "truncate 5000" -c "mmap -rw 0 8192" -c "mwrite -S 7 5000 3192" -c "truncate 8192" e
	state e
	where e
	io -c "pwrite -S 1 8388607t 4k" e
	io -c "falloc 0 1t" e
	io -c "truncate -1" e
	rm -f e
}

clones() { # reflinks, and what a write to one of two does; elsewhere an error
	io -f -c "pwrite -S 1 0 1m" -c fsync c1
	io -f -c "reflink c1" c2
	io -c "pwrite -S 2 100k 100k" -c "fpunch 300k 64k" c2
	io -f -c "reflink c1 64k 0 128k" c3
	io -c "dedupe c1 512k 512k 64k" c2 | grep -v '^linked'
	io -c "copy_range -s 0 -d 2m -l 300k c1" c2
	sync c1 c2 c3 2>/dev/null
	md5sum c1 c2 c3 2>&1
}

# A file system that goes down without having written back, and is mounted again: a log that is replayed.
downs() { # downs TYPE
	local dev
	[ "$1" != btrfs ] || return 0
	dev=$(findmnt -n -o SOURCE --mountpoint "$PWD")
	io -f -c "pwrite -S 5 0 300k" -c fsync -c "pwrite -S 6 300k 300k" kept
	mkdir dir && io -f -c "pwrite -S 7 0 5000" -c fsync dir/too && mv dir/too dir/renamed && sync dir
	sync -f . # what others have written is not what is asked for here
	xfs_io -x -c "shutdown -f" . 2>&1
	io -f -c "pwrite 0 1" dir/no
	cd .. && wait_for 20 umount fs && mount -t "$1" "$dev" fs && cd fs || { echo "not mounted again"; return; }
	head -c 300k kept | md5sum
	md5sum dir/renamed
	ls dir
}

# When a file system is full is its own affair (btrfs even looks whether the disk rotates).  What was written
# before stays, and what is freed can be used.
full() {
	local i n
	for ((n = 0; n < 400; n++)); do
		xfs_io -f -c "pwrite -S $((n % 250 + 1)) 0 4m" -c fsync "full.$n" >xfs_io.out 2>&1
		# A part of it may be written, and then there is no error.
		if grep -q 'No space' xfs_io.out || ! grep -q 'wrote 4194304/4194304' xfs_io.out; then
			echo "full"
			break
		fi
	done
	for ((i = 0; i < n; i++)); do
		head -c 4M /dev/zero | tr '\0' "\\$(printf %o $((i % 250 + 1)))" | cmp - "full.$i" || echo "wrong"
	done
	rm -f full.*
	sync -f . && fstrim . && echo trimmed
	io -f -c "pwrite -S 77 0 4m" -c fsync again
	md5sum again
	rm -f again xfs_io.out
}

generic_cases() { # generic_cases TYPE LONG
	cd fs || return 1
	holes "$2" && mixes "$2" && ends && clones
	[ -z "$2" ] || full
	downs "$1"
}
