#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A role that stands still (SIGSTOP) while the disk is in use is reported, killed and replaced; who
# uses the disk waits, and sees no error.  One that nobody waits for is left alone.

LIMIT=150
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

is_back() { # is_back ROLE OLDPID
	local pid
	pid=$(role_pid "$1")
	[ -n "$pid" ] && [ "$pid" != 0 ] && [ "$pid" != "$2" ]
}

stop_role() { # stop_role ROLE
	local role=$1 pid io
	write_conf "$role" size=32m prefix="$role-" uploaders=2 blockCacheFile="$work/cache.$role" blockCacheSize=200
	must_start
	rm -f "model.$role" && truncate -s 32m "model.$role"
	blockio run -d "$file" -m "model.$role" -s "$SEED" -t 6 -T 5 -D >"io.$role" 2>&1 &
	io=$!
	wait_for 10 above 0
	pid=$(role_pid "$role")
	kill -STOP "$pid"
	wait_for 40 is_back "$role" "$pid"
	ok $? "$role: stopped under load, replaced" || disk_log
	wait "$io"
	ok $? "$role: no error and no wrong byte meanwhile (seed $SEED)" || sed 's/^/# /' "io.$role" >&2
	is "$(grep -c "$role does not move" "$run/log")" 1 "$role: reported once"
	has "$(grep "$role holds others up" "$run/log")" "pid=$pid" "$role: then replaced"
	has "$(grep "$role died" "$run/log")" "pid=$pid signal=KILL" "$role: with an obituary"
	restart_cold
	ok $? "$role: stop, empty cache, start"
	quietly blockio verify -d "$file" -m "model.$role"
	ok $? "$role: all bytes from the bucket"
	stop_disk
}
above() { [ "$(status transfers.put.ok)" -gt "$1" ]; }

idle() {
	local pid
	write_conf idle prefix=idle- size=32m
	must_start
	pid=$(role_pid uploader.0)
	kill -STOP "$pid"
	wait_for 20 grep -q 'uploader.0 does not move' "$run/log"
	ok $? "idle: reported"
	has "$(status why)" 'uploader.0 .* does not move' "idle: status says so"
	is "$(status 'processes[] | select(.role == "uploader.0").state')" hung "idle: for the process, too"
	! wait_for 9 is_back uploader.0 "$pid" 2>/dev/null
	ok $? "idle: but not replaced, nobody waits for it"
	kill -CONT "$pid"
	wait_for 10 grep -q 'uploader.0 moves again' "$run/log"
	ok $? "idle: until it moves again"
	put "$file" 0 65536 x
	ctl flush
	ok $? "idle: and works"
	stop_disk
}

store s3
latency 5
stop_role uploader.1
stop_role cachemgr
v=$(uname -r)
if [ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ]; then
	stop_role frontend
else
	note "Linux before 6.9: the death of a frontend ends the mount"
fi
idle
done_testing
