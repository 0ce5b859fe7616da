#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The ways a disk ends: stop, umount(8) without us, a signal; who keeps it busy is named; what may
# stay in the cache file, and what may not.

LIMIT=180
NEEDS="fuse loop ext4"
. "$(dirname "$0")/lib.sh"

store dir

# ---- busy --------------------------------------------------------------------------------------
write_conf
must_start
holds() { # holds fd/0|cwd WHAT: and it is sleep by now, not the shell before it
	[ "$(readlink /proc/$holder/$1)" = "$2" ] && [ "$(cat /proc/$holder/comm)" = sleep ]
}
sleep 1000 <"$file" &
holder=$!
on_exit stop_pid "$holder" sleep
wait_for 30 holds fd/0 "$file"
out=$(s3backerd -c "$conf" stop 2>&1)
is $? 1 "stop of a disk in use: exit 1"
has "$out" "$mnt is in use by sleep \(pid $holder\)" "it names the process"
get "$file" 0 4096 >/dev/null
ok $? "and the disk goes on"
kill "$holder"
wait "$holder" 2>/dev/null
(cd "$mnt" && exec sleep 1000) &
holder=$!
on_exit stop_pid "$holder" sleep
wait_for 30 holds cwd "$mnt"
out=$(s3backerd -c "$conf" stop 2>&1)
has "$out" "sleep \(pid $holder\)" "a working directory keeps it busy as well"
kill "$holder"
wait "$holder" 2>/dev/null

loop_up "$file"
out=$(s3backerd -c "$conf" stop 2>&1)
has "$out" "in use by $loop \(losetup -d $loop\)" "a loop device is named, with what to do"
mkfs.ext4 -q "$loop"
mount_fs "$loop" "$work/fs"
out=$(s3backerd -c "$conf" stop 2>&1)
is $? 1 "a file system on it: exit 1"
has "$out" "$loop \(mounted on $work/fs\)" "it says where that is mounted"
out=$(s3backerd -c "$conf" status)
has "$out" '^running' "still running after all of these"
umount "$work/fs"
loop_down "$loop"
stop_disk
ok $? "and then it stops"
nothing_left "nothing is left"

# ---- umount(8) without the helper --------------------------------------------------------------
daemon_gone() { [ ! -e "$run/$disk.pid" ]; }
left_token() { keys | grep -c 's3backer-mounted$'; }

must_start
put "$file" 0 100000 plain
umount -i "$mnt"
ok $? "umount -i"
wait_for 30 daemon_gone
ok $? "s3backerd sees it and ends"
is "$(left_token)" 0 "the token is gone"
nothing_left "nothing is left after umount -i"
must_start
is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "what was written had been uploaded"

exec 9<"$file"
umount -i -l "$mnt"
ok $? "umount -l while somebody reads"
is "$(head -c 100000 <&9 | sum)" "$(sum <put.tmp)" "who has it open goes on reading"
out=$(s3backerd -c "$conf" status)
has "$out" '^stopping' "status says stopping"
exec 9<&-
wait_for 30 daemon_gone
ok $? "after the last user has gone it ends"
is "$(left_token)" 0 "the token is gone"

# ---- the kernel ends the connection ------------------------------------------------------------
must_start
put "$file" 0 100000 abort
sync "$file"
minor=$(awk -v m="$mnt" '$5 == m { split($3, d, ":"); print d[2] }' /proc/self/mountinfo)
fusectl=/sys/fs/fuse/connections
[ -e $fusectl/"$minor" ] || { mount -t fusectl none $fusectl && on_exit umount $fusectl; }
if [ -e "$fusectl/$minor/abort" ]; then
	echo 1 >"$fusectl/$minor/abort"
	wait_for 30 daemon_gone
	ok $? "a connection that the kernel aborts: the disk ends"
	is "$(left_token)" 0 "the token is gone"
	nothing_left "nothing is left after an abort"
	must_start
	is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "what was written had been uploaded"
fi
stop_disk

# ---- signals -----------------------------------------------------------------------------------
must_start
put "$file" 0 100000 signal
kill -TERM "$(disk_pid)"
wait_for 30 daemon_gone
ok $? "SIGTERM: uploads and ends"
must_start
is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "what was written had been uploaded"
exec 9<"$file"
pid=$(disk_pid)
kill -TERM "$pid"
wait_for 10 grep -q 'not stopped' "$run/log"
ok $? "SIGTERM while in use: refused, in the log"
is "$(head -c 100000 <&9 | sum)" "$(sum <put.tmp)" "the user goes on"
exec 9<&-
stop_disk
ok $? "stop"

# ---- what may stay -----------------------------------------------------------------------------
must_start
out=$(s3backerd -c "$conf" stop --keep-dirty 2>&1)
is $? 1 "--keep-dirty without a cache file: exit 1"
has "$out" 'in memory' "and why"
stop_disk

write_conf keep blockCacheFile="$work/cache" blockCacheSize=64 blockCacheWriteDelay=60s \
    drainOnStop=no bucket="file://$work/bucket/keep"
mkdir -p "$work/bucket/keep"
must_start
put "$file" 0 200000 keep
out=$(s3backerd -c "$conf" stop 2>&1)
is $? 0 "drainOnStop = no: stop"
has "$out" '256 KiB' "says how much stays in the cache file"
is "$(ls "$work/bucket/keep")" s3backer-mounted "the token stays, because the bucket lacks something"
write_conf broken bucket="file://$work/bucket/keep" blockCacheFile="$work/cache" blockCacheSize=65
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "a start with another cache size fails while the file holds changes"
is "$(ls "$work/bucket/keep")" s3backer-mounted "and leaves the token where it is"
write_conf other bucket="file://$work/bucket/keep"
out=$(s3backerd -c "$conf" start 2>&1)
has "$out" 'mounted by .* reset-mounted-flag' "nobody else gets the disk"
use_disk keep
must_start
is "$(get "$file" 0 200000 | sum)" "$(sum <put.tmp)" "the next start goes on with it"
sed -i 's/^drainOnStop.*//' "$conf"
stop_disk
ok $? "stop"
must_start
stop_disk
ok $? "a stop that drains"
is "$(ls "$work/bucket/keep" | wc -l)" 4 "then all is in the bucket, and no token"

# One after the other, without a pause: no race between the end of one and the next start.
write_conf
for i in 1 2 3 4 5; do
	start_disk && stop_disk || break
done
is "$i" 5 "start and stop follow each other at once"
nothing_left "nothing is left at the end"

# Somebody who looked at the file for a moment, and whom nobody can name: its descriptor is on its way
# between two sockets.
must_start
python3 - "$file" <<'PY' >held &
import array, os, socket, sys, time
a, b = socket.socketpair()
f = os.open(sys.argv[1], os.O_RDONLY)
a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f]))])
os.close(f)
print("held", flush=True)
time.sleep(0.3)
PY
wait_for 10 grep -q held held
stop_disk
ok $? "a stop does not fail for somebody who is gone in a moment"

# The same of one who can be named.
must_start
sleep 0.3 <"$file" &
stop_disk
ok $? "nor for a program that is about to end"
done_testing
