#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What a start asks the store for, and that of two starts in the same moment one gets the disk.

LIMIT=90
. "$(dirname "$0")/lib.sh"

token_requests() { server_log "$mark" | awk -v m="$1" '$9 ~ /mounted/ && $3 == m { print $6 }' | sort | paste -sd' '; }

store s3
write_conf size=16m
mark=$(server_mark)
must_start
is "$(token_requests PUT)" "200 412" "two attempts at once to create the mount token"
has "$(token_requests GET)" '^404( 404)?$' "after one look, or two on a machine that takes seconds in between"
is "$(status disk.fence)" strong "of which one was refused: the fence is strong"
is "$(grep -oE 'picked: (maxTransfers|blockCacheSize)=[0-9]+: [a-z0-9]+' "$run/log" | paste -sd,)" \
    "picked: blockCacheSize=768: the,picked: maxTransfers=512: 128" "what nobody has set is in the log, with the reason"
put "$file" 0 65536 one
quietly ctl flush
ok $? "and the disk may be written"
stop_disk

# Both look while there is no token, then both create it.
latency 300
for n in 1 2; do
	write_conf "race$n" bucket=bkt/race size=16m
	(timeout 60 s3backerd -c "$conf" start >"start.$n" 2>&1; echo $? >"status.$n") &
	pids[n]=$!
done
wait "${pids[@]}"
latency 0
is "$(sort status.1 status.2 | paste -sd,)" 0,1 "of two starts in the same moment one gets the disk"
has "$(cat start.1 start.2)" 'is mounted by' "and the other says who has it"
[ "$(cat status.1)" = 0 ] || use_disk race2
[ "$(cat status.1)" != 0 ] || use_disk race1
is "$(status disk.fence)" strong "its fence is strong"
stop_disk
is "$(keys race/ | grep -c mounted)" 0 "no token is left"
done_testing
