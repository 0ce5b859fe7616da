#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerctl with a store that can be stopped: progress, time limits, changes while running, who
# may ask, which disk is meant.  The uploader is a stub here.

LIMIT=60
. "$(dirname "$0")/lib.sh"

mkdir bin stub
for p in s3backerd s3backerctl s3backer-frontend s3backer-cachemgr; do cp "$S3B_BIN/$p" bin/; done
cp "$S3B_BIN/stubuploader" bin/s3backer-uploader
S3B_BIN=$work/bin PATH=$work/bin:$PATH
export S3B_STUB=$work/stub
store dir
write_conf bucket=stubbucket accessId=a accessKey=b blockCacheSize=256 \
    blockCacheFile="$work/cache" blockCacheWriteDelay=10ms
must_start

# ---- what is at risk ---------------------------------------------------------------------------
has "$(ctl status | sed -n 1p)" "^$file: running$" "the page begins with the health of the disk"
has "$(ctl status | sed -n 2p)" 'at risk +nothing' "then what is at risk: nothing"
touch stub/hold
put "$file" 0 $((5 << 16)) hold
is "$(ctl status | sed -n 2p | grep -c nothing)" 0 "at once after a write it is not nothing"
five_blocks() { ctl status | sed -n 2p | grep -q '320 KiB in 5 blocks'; }
wait_for 5 five_blocks
ok $? "five blocks while the store is silent"
is "$(status durability.behindBytes)" $((5 << 16)) "and in the JSON"

# ---- time limits and progress ------------------------------------------------------------------
ctl --timeout 300ms flush 2>err
is $? 4 "flush: exit 4 after --timeout"
has "$(cat err)" 'timed out' "and says so"
ctl --timeout 0.3 wait --clean 2>err
is $? 4 "wait --clean: the same"
ctl --timeout 300ms wait --age 1h
is $? 0 "wait --age: nothing is that old"
# Twice the deadline of a line in a log, and a terminal.
(sleep 2 && rm stub/hold) &
ctl flush >out 2>err
is $? 0 "flush: waits for the store"
has "$(cat err)" 'uploading 0 B of 320 KiB' "a line on the way, where there is no terminal"
has "$(cat out)" 'the bucket holds everything' "and one at the end"
wait
touch stub/hold
put "$file" 0 $((3 << 16)) again
(sleep 1 && rm stub/hold) &
script -qec "s3backerctl -c $conf flush" /dev/null >out 2>&1 </dev/null
ok $? "flush on a terminal"
has "$(tr '\r' '\n' <out)" '^.*\[[#.]+\] uploading 0 B of 192 KiB' "draws a bar"
wait
ctl wait --clean
is $? 0 "wait --clean: clean"
out=$(ctl --json flush)
is "$(jq -r .dirtyBytes <<<"$out")" 0 "flush --json"

# ---- changes -----------------------------------------------------------------------------------
ctl set maxDirtyAge 1m >out 2>&1
is $? 0 "set: a limit"
has "$(ctl set size 1g 2>&1)" 'size: .*cannot change' "set: a key that cannot change"
has "$(ctl set nosuch 1 2>&1)" 'nosuch' "set: a key that there is not"
has "$(ctl set timeout 7 2>&1)" 'restart' "set: a key of the uploaders, with what makes it work"
ctl set maxDirtyAge never >/dev/null 2>&1
is $? 1 "set: a value that is none"
ctl set logLevel debug >/dev/null
ok $? "set: the log level"
s3backerd -c "$conf" restart
ok $? "restart takes them"

# ---- which disk --------------------------------------------------------------------------------
s3backerctl -s "$run/disk.sock" status >/dev/null
ok $? "-s SOCKET"
s3backerctl -s "$run/none.sock" status 2>/dev/null
is $? 3 "-s of a socket that is not there: exit 3"
s3backerctl -c "$conf" -s "$run/disk.sock" status 2>/dev/null
is $? 2 "-c and -s: exit 2"
s3backerctl nonsense 2>/dev/null
is $? 2 "an unknown command: exit 2"
s3backerctl -c "$conf" set onlykey 2>/dev/null
is $? 2 "set without a value: exit 2"
s3backerctl -c "$conf" --timeout x status 2>/dev/null
is $? 2 "a time that is none: exit 2"
# A spoilt configuration does not keep one from asking, as long as runDir can be known.
ctl metrics >out
ok $? "metrics"
has "$(cat out)" '^s3backer_disk_bytes\{disk="disk"\} 67108864$' "with figures"
is "$(grep -vcE '^(#|s3backer_[a-z0-9_]+\{disk="disk"(,[a-z]+="[^"]*")*\} [0-9.e+-]+$)' out)" 0 "and nothing else"

# ---- who may ask -------------------------------------------------------------------------------
is "$(stat -c %a "$run/disk.sock")" 600 "the socket is for its owner"
chmod 711 "$work"
chmod 755 "$run"
chmod 666 "$run/disk.sock"
out=$(setpriv --reuid nobody --regid nogroup --clear-groups "$S3B_BIN/s3backerctl" \
    -s "$run/disk.sock" status 2>&1)
is $? 1 "somebody else, although the socket lets him in: exit 1"
wait_for 5 grep -q 'refused on the control socket' "$run/log"
ok $? "it is in the log"

# ---- bad input ---------------------------------------------------------------------------------
ask() { # ask LINE: the first line of the answer
	timeout 5 python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(sys.argv[2].encode() * int(sys.argv[3]) + b"\n")
    print(s.makefile().readline())
except (BrokenPipeError, ConnectionResetError):
    pass' "$run/disk.sock" "$1" "${2:-1}"
}
if command -v python3 >/dev/null; then
	has "$(ask 'no json')" '"ok":false.*not a request' "no JSON"
	has "$(ask '{"v":1}')" '"ok":false' "no command"
	has "$(ask '{"cmd":"nonsense"}')" 'not in this version' "an unknown command"
	has "$(ask '{"cmd":"status","config":"/other.conf"}')" '"exit":3' "another disk's configuration"
	has "$(ask '{"cmd":"set","key":7}')" '"ok":false' "a key that is no text"
	is "$(ask x 100000)" "" "a line without an end is not answered"
fi
ctl status >/dev/null
ok $? "and it goes on"

# ---- a stop that waits -------------------------------------------------------------------------
is_gone() { [ ! -e "$run/disk.pid" ]; }
touch stub/hold
put "$file" 0 $((4 << 16)) stop
s3backerd -c "$conf" stop >out 2>err &
stopper=$!
wait_for 10 grep -q 'uploading 0 B of 256 KiB' err
ok $? "stop shows how far it is"
kill "$stopper"
wait "$stopper" 2>/dev/null
has "$(s3backerd -c "$conf" status)" '^stopping: .*256 KiB' "interrupted, it goes on"
s3backerd -c "$conf" start >out 2>&1
is $? 1 "a start has to wait for it"
has "$(cat out)" 'already running: pid' "and says so"
rm stub/hold
wait_for 10 is_gone
ok $? "when the store is back it ends"
must_start
touch stub/hold
put "$file" 0 $((4 << 16)) keep
s3backerd -c "$conf" stop >out 2>&1 &
stopper=$!
wait_for 10 state_is stopping
s3backerd -c "$conf" stop --keep-dirty >out2 2>&1
ok $? "stop --keep-dirty while another waits"
has "$(cat out2)" '256 KiB' "ends the waiting and says what stays"
wait "$stopper"
is $? 0 "for both"
rm stub/hold
done_testing
