#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A file system on a disk that dies under load: what fsync has promised is there afterwards, and fsck
# finds nothing.
#
# Each round promise.c keeps its ledger while treeload changes a tree beside it, until the disk dies:
#
#	kill	all processes of the disk killed, at any moment
#	cut	power loss: the cache file lies on forgetfs, and of what was not synced nothing is there,
#		or all, or what was written before or after some moment; then the kernel has booted anew, for all that the disk can see
#
# The load stands still before the disk dies, as all does at a power loss.  Else XFS may say of a directory
# whose log has just failed that it is synced, on any device.
#
# The loop device and the file system on it go down with the disk, and come back with the next start, as
# after a power loss.  Its log is replayed by a mount; then every promise of this round and of those before
# is looked at, e2fsck -fn, xfs_repair -n, or btrfs check before and after and a scrub.

# In a mount namespace of its own: nobody else's copy of our mounts keeps a loop device busy, and the
# boot id is ours to choose.
if [ -z "${S3B_TEST_NS:-}" ] && [ "$(id -u)" = 0 ] && unshare -m --propagation private true 2>/dev/null; then
	S3B_TEST_NS=1 exec unshare -m --propagation private bash "$(readlink -f "$0")" "$@"
fi

NEEDS="fuse loop python3"
. "$(dirname "$(readlink -f "$0")")/pair.sh"
[ -n "${S3B_TEST_NS:-}" ] || skip_all "no mount namespaces"
drop_copies
rounds=${ROUNDS:-$([ "$long" ] && echo 24 || echo 1)}
RANDOM=$SEED
written=0

# ---- a disk on a device that forgets -----------------------------------------------------------

forget() { # forget COMMAND...: to forgetfs; prints the answer
	python3 - "$work/forget.sock" "$*" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall((sys.argv[2] + "\n").encode())
		print(s.makefile().readline().strip())
	PY
}
told() { [ "$(forget "$@")" = ok ]; }

boots=0
boot_anew() {
	boots=$((boots + 1))
	printf '%08x-0000-4000-8000-%012x\n' $((boots * 40503)) $boots >boot_id
	[ "$boots" != 1 ] || mount --bind boot_id /proc/sys/kernel/random/boot_id
}

fs_up() {
	loop_up "$file" && mount_fs "$loop" fs -t "$type"
}

# What cannot be written any more is lost, as it has to be.
fs_dead() {
	wait_for 30 umount fs && loop_down "$loop" && wait_for 10 loop_is_free "$loop"
}

fsck_loop() {
	local fsck
	fsck=$(fsck_of "$type")
	# shellcheck disable=SC2086 # words
	quietly $fsck "$loop" || { note "$type: $fsck, $1" >&2; return 1; }
}

# ---- one round ---------------------------------------------------------------------------------

load() { # load ROUND
	local old
	for old in fs/tree.*; do rm -rf "$old"; done
	rm -rf "fs/keep.$(($1 - 3))" "ledger.$(($1 - 3))"
	mkdir "fs/tree.$1" "fs/keep.$1" && sync -f fs || return 1
	promise keep -l "ledger.$1" -s $((SEED * 1000 + $1)) -p 4 "fs/keep.$1" >keep.out 2>&1 &
	promise=$!
	on_exit stop_pid "$promise" promise
	rm -rf logs && mkdir logs
	treeload -s $((SEED * 1000 + $1)) -p 4 -n 1000000 -l "$PWD/logs" "fs/tree.$1" >/dev/null 2>&1 &
	tree=$!
	on_exit stop_pid "$tree" treeload
	# Long enough to have promised something; then any moment.
	wait_for 60 grep -q enough keep.out
	sleep "$((RANDOM % 2)).$((100 + RANDOM % 900))"
	kill -0 "$promise"
}
# What is in a call does not come back from it, so it takes nothing more for acknowledged.
stand_still() {
	load=$(pgrep -P "$promise")
	# shellcheck disable=SC2086 # a list
	kill -STOP $load && wait_for 20 stands $load
}
stands() {
	local p
	for p; do
		case $(sed 's/.*) //' "/proc/$p/stat") in R* | S*) return 1 ;; esac
	done
}

die_kill() { kill_disk; }

# Each write wholly or not at all.  btrfs believes that of its superblock, and ext4 of its own, on any disk;
# a write that is torn at 512 bytes, which is all that a disk has to promise, is powercut's business.
cut_mode() {
	local modes=(forget keep prefix suffix)
	echo "${modes[RANDOM % 4]}"
}

die_cut() {
	local pids
	pids=$(disk_pids)
	told hold
	# shellcheck disable=SC2086 # a list
	kill -STOP $pids
	told cut $((SEED * 1000 + RANDOM)) "$(cut_mode)"
	# shellcheck disable=SC2086
	kill -KILL $pids
	# shellcheck disable=SC2086
	wait_for 20 all_gone $pids && { umount -l "$mnt" 2>/dev/null || true; }
	told revive && boot_anew
}

promises_kept() { # of this round and of those before
	local r status=0
	for r in ledger.*; do
		r=${r#ledger.}
		promise check -l "ledger.$r" -s $((SEED * 1000 + r)) -p 4 "fs/keep.$r" >check.out 2>&1 || {
			status=1
			sed "s/^/# round $r: /" check.out >&2
		}
		[ "$r" != "$1" ] || tail -n 1 check.out >this.out
	done
	written=$((written + $(awk '{ print $3 + $5 + $7 }' this.out)))
	return "$status"
}

clean() { # before the log is replayed where that means something, and after it
	loop_up "$file" || return 1
	[ "$type" != btrfs ] || fsck_loop "before it was mounted" || return 1
	mount_fs "$loop" fs -t "$type" && wait_for 20 umount fs && fsck_loop "after replay" || return 1
	mount_fs "$loop" fs -t "$type" || return 1
	[ "$type" != btrfs ] || quietly btrfs scrub start -B -r fs
}

round() { # round N kill|cut
	load "$1"
	ok $? "$type, round $1: load" || { cat keep.out >&2; done_testing; }
	stand_still && "die_$2"
	ok $? "$type, round $1: $2" || done_testing
	# shellcheck disable=SC2086 # a list
	kill -KILL $load
	wait "$promise"
	[ "$?" != 3 ] || { ok 1 "$type: the file system is full"; done_testing; }
	kill -KILL "$tree" 2>/dev/null
	wait "$tree" 2>/dev/null
	fs_dead
	ok $? "$type, round $1: the file system goes down" || done_testing
	start_disk
	ok $? "$type, round $1: start" || done_testing
	clean
	ok $? "$type, round $1: replayed, and fsck finds nothing" || done_testing
	promises_kept "$1"
	ok $? "$type, round $1: what was promised is there ($(cat this.out))"
}

from_the_bucket() {
	restart_cold
	ok $? "$type: stop, empty cache, start" || done_testing
	clean && promises_kept "$rounds"
	ok $? "$type: from the bucket: fsck finds nothing, promises kept"
	wait_for 20 umount fs && loop_down "$loop"
}

# The first file systems of the sample get different deaths.
deaths=0
crashes() {
	local i
	rm -rf ledger.*
	[ "${store:-}" ] || { store s3 && latency 4; }
	write_conf "$type" size="$FS_SIZE" blockSize=64k blockCacheFile="$work/forget/cache.$type" \
	    blockCacheSize=500 blockCacheWriteDelay=400ms prefix="$type-"
	must_start
	loop_up "$file"
	# shellcheck disable=SC2046 # words
	quietly $(mkfs_of "$type") "$loop" && mount_fs "$loop" fs -t "$type"
	ok $? "$(mkfs_of "$type")" || done_testing
	for ((i = 1; i <= rounds; i++)); do
		deaths=$((deaths + 1))
		round "$i" "$([ $(((deaths + SEED) % 2)) = 0 ] && echo cut || echo kill)"
	done
	wait_for 20 umount fs && loop_down "$loop"
	[ -z "$long" ] || from_the_bucket
	stop_disk
	ok $? "$type: stop"
	rm -f "$cache" "$cache.state"
}

mkdir forget
"$S3B_BIN/forgetfs" -s "$work/forget.sock" forget &
on_exit stop_pid $! forgetfs
on_exit umount -l "$work/forget"
wait_for 10 test -S forget.sock || skip_all "forgetfs does not start"
boot_anew
for_each_fs crashes
note "seed $SEED: $deaths deaths, $written promises looked at afterwards"
done_testing
