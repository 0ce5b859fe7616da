#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The disk under the cache fails to write, everything is killed, the disk works again: what the kernel
# still shows of the cache file is not what the disk has.  What is read then, and flushed, must stay.

LIMIT=120 NEEDS="fuse loop ext4 mkfs.ext4 python3"
. "$(dirname "$0")/lib.sh"

forget() { # forget COMMAND...: to forgetfs, which holds the device; prints the answer
	python3 - "$work/forget.sock" "$*" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall((sys.argv[2] + "\n").encode())
		print(s.makefile().readline().strip())
	PY
}
told() { is "$(forget "$@")" ok "the device: $*"; }
mount_again() { # all that is unwritten is written, all that is cached is forgotten
	umount "$work/fs" && mount -o errors=continue "$loop" "$work/fs"
}

mkdir forget
# Not with -p: it has to outlive the loop device, which the outer shell takes away.
"$S3B_BIN/forgetfs" -s "$work/forget.sock" forget &
on_exit stop_pid $! forgetfs
on_exit umount -l "$work/forget"
wait_for 10 test -S forget.sock || skip_all "forgetfs does not start"
truncate -s 128m forget/device
loop_up forget/device
# Without a journal nothing but these writes can fail.
quietly mkfs.ext4 -q -F -O ^has_journal "$loop"
mount_fs "$loop" "$work/fs" -o errors=continue

store s3
# The delay: it is to be written again in place, not in a copy.
write_conf lost size=16m blockCacheFile="$work/fs/cache" blockCacheSize=64 \
    blockCacheWriteDelay=60s maxDirtyAge=5m
must_start
fault put:503 # so that only the cache file can have it
put "$file" 0 262144 first
sync "$file"
ok $? "flushed to the cache file"
told fault eio write 100
put "$file" 0 262144 second
timeout 20 sync "$file" 2>/dev/null &
wait_for 20 state_is degraded
ok $? "written again, and the device fails"
kill_disk
told fault none
start_disk
ok $? "killed, started on a device that works" || disk_log
get "$file" 0 262144 >found
sync "$file"
ok $? "flushed"
is "$(status state)" running "to the cache file"
kill_disk
wait_for 10 mount_again
ok $? "the kernel keeps nothing of it"
start_disk
ok $? "started" || disk_log
is "$(get "$file" 0 262144 | sum)" "$(sum <found)" "what was read and flushed is there"
no_fault
stop_disk
is "$(for k in $(blocks); do object "$k"; done | sum)" "$(sum <found)" "and goes to the bucket"
done_testing
