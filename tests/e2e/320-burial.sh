#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What s3backerd does about its roles: an obituary for each death, a pause that grows, a hung one
# reported, one that must not come back ends the disk.  The uploader is a stub here.

LIMIT=180
. "$(dirname "$0")/lib.sh"

# The programs beside a stub for the store, whose answers are files in $S3B_STUB.
mkdir bin stub
for p in s3backerd s3backerctl s3backer-frontend s3backer-cachemgr; do cp "$S3B_BIN/$p" bin/; done
cp "$S3B_BIN/stubuploader" bin/s3backer-uploader
S3B_BIN=$work/bin PATH=$work/bin:$PATH
export S3B_STUB=$work/stub
export ASAN_OPTIONS=$ASAN_OPTIONS:handle_segv=0	# a SIGSEGV of ours is no finding
store dir
write_conf bucket=stubbucket accessId=a accessKey=b blockCacheSize=64 uploaders=1

start_fails() { # start_fails REGEX sentence
	local out
	out=$(s3backerd -c "$conf" start 2>&1)
	is $? 1 "$2: exit 1"
	has "$out" "$1" "$2: one clear line"
	nothing_left "$2: nothing is left"
}
is_gone() { [ ! -e "$run/disk.pid" ]; }
other_than() { local p; p=$(role_pid "$1"); [ -n "$p" ] && [ "$p" != 0 ] && [ "$p" != "$2" ]; }
obituaries() { grep -c "$1 died" "$run/log"; }

# ---- the conversation before the start ---------------------------------------------------------
echo "error 13 the key is refused" >stub/answer.detect
start_fails '^s3backerd: the key is refused$' "an error of the store"
echo "ok found=1 size=1048576 blocksize=65536" >stub/answer.detect
start_fails 'size = 64m, but the bucket holds a disk with size = 1m' "another size in the bucket"
echo "ok found=0 empty=0" >stub/answer.detect
sed -i 's/^blockSize.*//' "$conf"
start_fails 'set blockSize' "blocks, but no block size"
echo "blockSize = 64k" >>"$conf"
rm stub/answer.detect
echo "held token=12345678 host=other.example since=20261124T194500Z pid=77" >stub/answer.token-take
start_fails 'other.example pid 77 since 2026-11-24 19:45:00 UTC .*reset-mounted-flag' \
    "somebody was faster with the token"
echo "ok fence=weak" >stub/answer.token-take
echo "fence = strong" >>"$conf"
: >stub/asked
start_fails 'fence = strong' "a store without conditional PUT"
has "$(cat stub/asked)" '^token-drop' "the token that was taken is given back"
sed -i 's/^fence.*//' "$conf"
rm stub/answer.token-take
echo "an uploader that cannot" >stub/fail
: >stub/asked
start_fails '^s3backerd: an uploader that cannot$' "a role that says why not"
has "$(cat stub/asked)" '^token-drop' "the token is given back"
rm stub/fail
echo 3 >stub/exit
start_fails 's3backer-uploader.0 died: .*exit=3' "a role that dies at start"
rm stub/exit
touch stub/silent.token-get
: >stub/asked
s3backerd -c "$conf" start >out 2>&1 &
starter=$!
wait_for 10 grep -q token-get stub/asked
kill -TERM "$(disk_pid)"
wait "$starter"
is $? 1 "stopped while the store is silent: exit 1"
has "$(cat out)" 'stopped before it was ready' "and says so"
nothing_left "nothing is left"
: >stub/asked
s3backerd -c "$conf" start >out 2>&1 &
starter=$!
wait_for 10 grep -q token-get stub/asked
kill "$starter"
wait "$starter" 2>/dev/null
wait_for 5 is_gone
ok $? "who typed start goes away: the process in the background gives up"
rm stub/silent.token-get
nothing_left "nothing is left"

rm -f "$run/log"

# ---- deaths ------------------------------------------------------------------------------------
must_start
for role in uploader.0 cachemgr frontend; do
	pid=$(role_pid "$role")
	kill -SEGV "$pid"
	wait_for 10 other_than "$role" "$pid"
	ok $? "$role: a new one after its death"
	wait_for 10 get "$file" 0 4096 >get.out
	ok $? "$role: and the disk can be read"
	has "$(grep "$role died" "$run/log")" "pid=$pid signal=SEGV" "$role: its obituary"
	is "$(obituaries "$role")" 1 "$role: one"
	is "$(status_json | jq ".processes[] | select(.role == \"$role\") | .restarts")" 1 \
	    "$role: counted"
done

# Again and again: each pause is longer than the last.
before=$(now_ms)
for i in 1 2 3 4; do
	pid=$(role_pid uploader.0)
	kill -KILL "$pid"
	wait_for 20 other_than uploader.0 "$pid"
done
took=$(($(now_ms) - before))
le 1500 "$took" "four more deaths of one: 200 + 400 + 800 + 1600 ms of pauses"
touch stub/hold
pid=$(role_pid uploader.0)
kill -KILL "$pid"
wait_for 5 state_is degraded
ok $? "degraded while it keeps dying"
has "$(status why)" 'uploader.0 keeps dying' "and why"
wait_for 20 other_than uploader.0 "$pid"
rm stub/hold

# ---- a role that hangs -------------------------------------------------------------------------
pid=$(role_pid cachemgr)
kill -STOP "$pid"
put "$file" 0 4096 hang &
wait_for 20 grep -q "cachemgr does not move" "$run/log"
ok $? "a role that hangs is reported"
is "$(status state)" degraded "degraded meanwhile"
kill -CONT "$pid"
wait_for 20 grep -q "cachemgr moves again" "$run/log"
ok $? "and when it goes on"
wait
is "$(role_pid cachemgr)" "$pid" "it was not replaced"

# ---- restart -----------------------------------------------------------------------------------
exec 8<>"$file"
died=$(grep -c ' died: ' "$run/log")
before=$(status_json | jq -c '[.processes[] | select(.role != "s3backerd").pid]')
s3backerd -c "$conf" restart
ok $? "restart"
after=$(status_json | jq -c '[.processes[] | select(.role != "s3backerd").pid]')
is "$(jq -n "$before - $after | length")" 3 "every role is a new process"
head -c 4096 <&8 >/dev/null
ok $? "a file that was open stays open"
exec 8<&-
is "$(grep -c ' died: ' "$run/log")" "$died" "none of these ends is an obituary"
stop_disk
ok $? "stop"

# ---- never again -------------------------------------------------------------------------------
must_start
echo 2 >stub/exit
kill -KILL "$(role_pid uploader.0)"
wait_for 20 is_gone
ok $? "a role that exits with 2 ends the disk"
has "$(grep 'stopping the disk' "$run/log" | tail -n 1)" 'uploader.0 died: .*exit=2' "the log says why"
rm stub/exit
nothing_left "nothing is left"

done_testing
