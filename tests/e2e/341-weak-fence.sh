#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A store without conditional PUT: two starts in the same moment may both take the mount token.  Each looks
# again before it writes, later than any such token can arrive: one is fenced before its first PUT.

LIMIT=120
. "$(dirname "$0")/lib.sh"

# The token of the first is on its way for seconds (it is sent twice), while the other looks, takes its own,
# and believes itself alone.
both() {
	local n pids=()
	fault 'put:key=*s3backer-mounted*:slow=15B/s:count=2'
	mark=$(server_mark)
	for n in 1 2; do
		use_disk "$1$n"
		(timeout 90 s3backerd -c "$conf" start >"start.$n" 2>&1; echo $? >"status.$n") &
		pids+=($!)
		[ $n = 2 ] || wait_for 20 looked
	done
	wait "${pids[@]}"
	no_fault
	is "$(cat status.1 status.2 | tr -d '\n')" 00 "$2: both have started" || sed "s,^,# ," start.1 start.2 >&2
}
looked() { server_log "$mark" | awk '$3 == "GET" && $9 ~ /mounted$/' | grep -q .; }
one_is_fenced() {
	local n
	for n in 1 2; do
		use_disk "race$n"
		put "$file" $((n * 65536)) 65536 "of $n"
		state_is fenced && return
	done 2>/dev/null
	return 1
}
changed() { server_log "$mark" | awk '$3 == "PUT" && $6 == 200 { print $9 }' | grep -E '0000000[12]$' | sort -u; }

start_server --no-conditional-put
store=s3
write_conf race1 bucket=bkt/race size=16m blockCacheWriteDelay=50ms leaseTime=6s
write_conf race2 bucket=bkt/race size=16m blockCacheWriteDelay=50ms leaseTime=6s
both race "the same moment"
mark=$(server_mark)
wait_for 30 one_is_fenced
ok $? "one of them is fenced"
loser=${disk#race} winner=$((3 - ${disk#race}))
use_disk "race$winner"
is "$(status state) $(status disk.fence)" "running weak" "the other goes on, its fence is weak"
put "$file" $((winner * 65536)) 65536 last
quietly ctl flush
ok $? "and writes"
has "$(cat run.race*/log)" 'slow and the fence is weak' "the slow one waited for the lease of the other"
is "$(changed | grep -o '.$' | tr -d '\n')" "$winner" "not one block of the fenced one was written"
is "$(object race/0000000$winner | sum)" "$(sum <put.tmp)" "the bucket holds what the other wrote"
stop_disk
ok $? "it stops" || disk_log
use_disk "race$loser"
quietly timeout 60 s3backerd -c "$conf" stop
is "$(keys race/ | grep -c mounted)" 0 "no token is left"
done_testing
