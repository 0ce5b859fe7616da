#!/bin/bash
# SPDX-License-Identifier: ISC
#
# sharedDiskMode: two mounts of one disk at once.  What one has written, the other reads, at once; nothing
# is cached; the token says so to everybody else.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store s3
shared() { # shared NAME
	write_conf "$1" size=8m blockSize=64k sharedDiskMode=yes "${@:2}"
}
shared b && conf_b=$conf mnt_b=$mnt
shared a
must_start
conf=$conf_b
must_start
use_disk a
a=$work/mnt.a/file b=$mnt_b/file
is "$(status disk.fence)" shared "status says that the disk is shared"
is "$(status state)" running "and running"
use_disk b
is "$(status disk.fence)" shared "on both"
has "$(adm -D - -o /dev/null "$admin/object/bkt/s3backer-mounted")" 'mount-token: 7fffffff' "the token is that of the format"

# ---- each reads what the other has written ---------------------------------------------------------------
wr() { # wr FILE OFFSET BYTES SEED
	random_file w.tmp "$3" "$4"
	dd if=w.tmp of="$1" bs="$3" seek="$2" oflag=seek_bytes conv=notrunc status=none
}
rd() { dd if="$1" bs="$3" count=1 skip="$2" iflag=skip_bytes status=none; }
bad=0
for i in $(seq 1 12); do
	case $((i % 2)) in 0) from=$a to=$b ;; *) from=$b to=$a ;; esac
	wr "$from" 0 65536 "whole$i"
	cmp -s <(rd "$to" 0 65536) w.tmp || bad=$((bad + 1))
	cmp -s <(rd "$from" 0 65536) w.tmp || bad=$((bad + 1))
done
is "$bad" 0 "whole blocks, to and fro: each reads the last write at once"
# Parts of a block in turns: the rest must be what the other has made of it.
cp w.tmp model
for i in $(seq 1 12); do
	case $((i % 2)) in 0) from=$a to=$b ;; *) from=$b to=$a ;; esac
	wr "$from" $((i * 5000)) 4096 "part$i"
	dd if=w.tmp of=model bs=4096 seek=$((i * 5000)) oflag=seek_bytes conv=notrunc status=none
	cmp -s <(rd "$to" 0 65536) model || bad=$((bad + 1))
done
is "$bad" 0 "parts of a block in turns: none undoes the other's"
# Both have the block as it is now; none reads it again before it writes.
for i in $(seq 1 8); do
	case $((i % 2)) in 0) from=$a ;; *) from=$b ;; esac
	wr "$from" $((i * 7000)) 4096 "blind$i"
	dd if=w.tmp of=model bs=4096 seek=$((i * 7000)) oflag=seek_bytes conv=notrunc status=none
done
cmp -s <(rd "$a" 0 65536) model && cmp -s <(rd "$b" 0 65536) model
ok $? "nor when nobody looks before he writes"
wr "$a" $((7 * 65536)) 65536 seven
rd "$b" $((7 * 65536)) 65536 >/dev/null
fallocate -p -o $((7 * 65536)) -l 65536 "$a"
is "$(rd "$b" $((7 * 65536)) 65536 | tr -d '\0' | wc -c)" 0 "what one trims the other reads as zeros"
wr "$b" $((7 * 65536)) 65536 again
cmp -s <(rd "$a" $((7 * 65536)) 65536) w.tmp
ok $? "and what is written there after that is no zero for the first"
rd "$a" $((9 * 65536)) 65536 >/dev/null
wr "$b" $((9 * 65536)) 65536 nine
fallocate -p -o $((9 * 65536)) -l 65536 "$a"
is "$(rd "$b" $((9 * 65536)) 65536 | tr -d '\0' | wc -c)" 0 "nor is a trim saved because the block was absent once"

# ---- what reaches the bucket, and when ---------------------------------------------------------------------
use_disk a
mark=$(server_mark)
wr "$a" $((20 * 65536)) 65536 through
is "$(block_requests PUT)" 1 "a write returns when its PUT has been answered"
cmp -s <(adm "$admin/object/bkt/00000014") w.tmp
ok $? "with these bytes"
mark=$(server_mark)
timeout 20 sync "$a"
is "$?$(block_requests PUT)" 00 "fsync has nothing left to do"
mark=$(server_mark)
for _ in 1 2 3; do rd "$a" $((20 * 65536)) 65536 >/dev/null; done
is "$(block_requests GET)" 3 "each read is a GET: nothing is cached"

# ---- many at once, each in blocks of its own ----------------------------------------------------------------
for m in a b; do
	for w in 1 2 3; do
		{
			f=$work/mnt.$m/file at=$(($(printf %d "'$m") % 2 * 30 + w * 8 + 40))
			for i in $(seq 1 6); do
				random_file "w.$m$w" 131072 "$m$w$i"
				dd if="w.$m$w" of="$f" bs=64k seek=$at conv=notrunc status=none
				cmp -s <(dd if="$f" bs=64k skip=$at count=2 status=none) "w.$m$w" || echo bad
			done
		} &
		pids="${pids:-} $!"
	done
done >many.log
# shellcheck disable=SC2086
wait $pids
is "$(cat many.log)" "" "six writers on two mounts: each reads its own"

# ---- others ---------------------------------------------------------------------------------------------------
write_conf other size=8m blockSize=64k
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "a mount without sharedDiskMode is refused"
has "$out" 'sharedDiskMode = yes joins' "and told how to join"
use_disk b
# A dead cache manager on one side: the other does not notice, and both go on.
kill -9 "$(role_pid cachemgr)"
wr "$work/mnt.b/file" 0 65536 dead
cmp -s <(rd "$a" 0 65536) w.tmp
ok $? "a cache manager that dies is replaced, and the rules hold"
stop_disk
use_disk a
stop_disk
has "$(adm -D - -o /dev/null "$admin/object/bkt/s3backer-mounted")" 'mount-token: 7fffffff' "the token stays, as the format says"
done_testing
