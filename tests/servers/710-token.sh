#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The mount token on a store that is not ours: of starts at the same moment one has the disk; the others
# say who.  Where the store knows conditional requests the fence is strong, elsewhere start says so.

LIMIT=120
. "$(dirname "$0")/../e2e/lib.sh"

STARTS=6
store s3
strong=strong
[ "${S3B_SERVER_NAME:-}" = swift ] && strong=weak

all_but_one_fenced() {
	local n left=0
	for n in $(seq $STARTS); do
		[ "$(cat "status.$n")" = 0 ] || continue
		use_disk "race$n"
		put "$file" $((n * 65536)) 65536 "$n" 2>/dev/null
		[ "$(status state)" = fenced ] || left=$((left + 1))
	done
	[ $left -le 1 ]
}

for n in $(seq $STARTS); do
	write_conf "race$n" bucket=bkt/race size=16m
done
for round in 1 2 3; do
	pids=()
	for n in $(seq $STARTS); do
		use_disk "race$n"
		(timeout 60 s3backerd -c "$conf" start >"start.$n" 2>&1; echo $? >"status.$n") &
		pids+=($!)
	done
	wait "${pids[@]}"
	won=$(cat status.* | grep -c '^0$')
	if [ $strong = strong ]; then
		is "$won" 1 "round $round: one of $STARTS starts has the disk"
	else
		# Several may start; each looks again before it writes (tests/e2e/341).
		le 1 "$won" "round $round: $won of $STARTS starts have the disk"
		wait_for 30 all_but_one_fenced
		ok $? "round $round: all but one of them are fenced when they write"
	fi
	for n in $(seq $STARTS); do
		use_disk "race$n"
		if [ "$(cat "status.$n")" = 0 ]; then
			[ "$(status state)" = fenced ] || is "$(status disk.fence)" $strong "round $round: the fence is $strong"
			s3backerd -c "$conf" stop >/dev/null 2>&1
		elif ! grep -qE 'mounted|token|being started' "start.$n"; then
			ok 1 "round $round: a loser says why"
			sed 's,^,# ,' "start.$n" >&2
		fi
	done
	is "$(keys race/ | grep -c mounted)" 0 "round $round: no token is left"
done

write_conf taken bucket=bkt/taken size=16m leaseTime=3s
must_start
put "$file" 0 65536 x
quietly ctl flush
s3 PUT "/$space/taken/s3backer-mounted" --data-binary 1234abcd >/dev/null
# Until the lease that was confirmed last is over we may write; before the first PUT after that we look.
n=0
written_and_fenced() {
	n=$((n + 1))
	put "$file" $((n % 100 * 65536)) 65536 "y$n"
	state_is fenced
}
wait_for 30 written_and_fenced
ok $? "somebody else's token: fenced" || disk_log
before=$(blocks taken/ | wc -l)
put "$file" $((200 * 65536)) 65536 z
s3backerd -c "$conf" stop >stop.out 2>&1
is "$(blocks taken/ | wc -l)" "$before" "and nothing more is written"
is "$(s3 GET "/$space/taken/s3backer-mounted")" 1234abcd "the token of the other stays"
done_testing
