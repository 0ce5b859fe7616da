#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The two commands: start and stop a disk, and what is there in between and afterwards.

LIMIT=90
. "$(dirname "$0")/lib.sh"

round_trip() {
	write_conf
	start_disk
	ok $? "start returns 0" || { disk_log; return; }
	is "$(stat -c %s "$file")" $((64 << 20)) "the file is there and has the size of the disk"
	get "$file" 0 1 >/dev/null
	ok $? "and can be read at once"
	is "$(get "$file" 0 1048576 | tr -d '\0' | wc -c)" 0 "a new disk reads as zeros"
	is "$(ls "$mnt" | tr '\n' ' ')" "file stats " "the mount holds file and stats, nothing else"
	put "$file" 100000 300001 one
	ok $? "write"
	is "$(get "$file" 100000 300001 | sum)" "$(sum <"$work/put.tmp")" "and read it back"
	s3backerd -c "$conf" status >status.out
	is $? 0 "status: exit 0 while it runs"
	is "$(wc -l <status.out)" 1 "one line"
	has "$(s3backerd -c "$conf" start 2>&1; echo "exit $?")" "already.*$(disk_pid)" \
	    "a second start names the pid of the first"
	has "$(keys | tr '\n' ' ')" 's3backer-mounted' "the token is in the bucket while it runs"
	stop_disk
	ok $? "stop returns 0" || disk_log
	nothing_left "nothing is left"
	s3backerd -c "$conf" status >status.out 2>&1
	is $? 3 "status: exit 3 when it does not run"
	s3backerd -c "$conf" stop >/dev/null 2>&1
	is $? 3 "stop: exit 3 as well"
	is "$(keys | tr '\n' ' ')" "$(printf '%08x ' 1 2 3 4 5 6)" \
	    "the bucket has the six blocks written to, and no token"
	start_disk
	ok $? "start again" || { disk_log; return; }
	is "$(get "$file" 100000 300001 | sum)" "$(sum <"$work/put.tmp")" "the same bytes, from the bucket"
	stop_disk
	ok $? "stop again"
}

in_foreground() {
	write_conf fg bucket=file://$work/fg logTo=
	mkdir -p "$work/fg"
	s3backerd -f -c "$conf" start >fg.out 2>&1 &
	local pid=$!
	wait_for 20 state_is running
	ok $? "-f: the disk comes up"
	is "$(disk_pid)" "$pid" "-f stays the process that was started"
	has "$(cat fg.out)" 's3backerd' "and logs to stderr"
	kill -TERM "$pid"
	wait "$pid"
	is $? 0 "SIGTERM stops it, exit 0"
	nothing_left "nothing is left"
}

usage() {
	s3backerd >/dev/null 2>&1
	is $? 2 "s3backerd without arguments: exit 2"
	s3backerd -c /nonexistent nonsense >/dev/null 2>&1
	is $? 2 "an unknown command: exit 2"
	s3backerctl >/dev/null 2>&1
	is $? 2 "s3backerctl without arguments: exit 2"
}

for_each_store round_trip
in_foreground
usage
done_testing
