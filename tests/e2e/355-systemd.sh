#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerd as systemd would run it, which notifyd plays: it says when it is ready and when it needs
# more time; and when it is killed under load, the next one gets the descriptors and goes on with the
# disk, and nobody using it sees an error.

LIMIT=240
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

v=$(uname -r)
[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ] || skip_all "needs Linux 6.9"

start_service() { # start_service FLAGS OF NOTIFYD...
	: >notify.log
	"$S3B_BIN/notifyd" "$@" "$work/notify.sock" "$work/notify.log" \
	    "$S3B_BIN/s3backerd" -f -c "$conf" start >>"$run/out" 2>&1 &
	service=$!
	on_exit stop_pid "$service" notifyd
	wait_for 20 grep -q 'got READY=1' notify.log
}
stop_service() {
	kill "$service" && wait "$service"
}
other_than() { local p; p=$(disk_pid); [ -n "$p" ] && [ "$p" != "$1" ]; }
readies() { grep -c 'got READY=1' notify.log; }
is_ready() { [ "$(readies)" -gt "$1" ]; }
above() { [ "$(status transfers.put.ok)" -gt "$1" ]; }

under_load() { # under_load sentence FLAGS OF NOTIFYD...
	local what=$1 io n pid before
	shift
	write_conf "load$#" size=32m prefix="load$#-" uploaders=2 blockCacheFile="$work/cache.$#" \
	    blockCacheSize=200 logTo="$work/load.log"
	start_service "$@"
	ok $? "$what: READY=1" || cat "$run/out" >&2
	rm -f model && truncate -s 32m model
	blockio run -d "$file" -m model -s "$SEED" -t 6 -T 12 -D >io.out 2>&1 &
	io=$!
	wait_for 10 above 0
	for n in 1 2 3 4; do
		pid=$(disk_pid) before=$(readies)
		kill -KILL "$pid"
		wait_for 20 other_than "$pid" && wait_for 20 is_ready "$before" || break
		wait_for 20 test "$(get "$file" 0 1 | wc -c)" = 1
	done
	is "$n" 4 "$what: s3backerd killed four times"
	wait "$io"
	ok $? "$what: no error and no wrong byte meanwhile (seed $SEED)" || { sed 's/^/# /' io.out; disk_log; }
	is "$(grep -c '^died KILL' notify.log)" 4 "$what: each time another one took over"
	is "$(running_with "$work" | wc -l)" 5 "$what: one s3backerd and four roles are left"
	s3backerd -c "$conf" restart
	ok $? "$what: restart goes as well" || disk_log
	ctl status >/dev/null
	ok $? "$what: and answers"
	stop_service
	is $? 0 "$what: SIGTERM stops it"
	has "$(cat notify.log)" 'got STOPPING=1' "$what: STOPPING=1"
	is "$(grep -c '^store' notify.log)" "$(grep -c '^remove' notify.log)" "$what: nothing is left in the store"
	nothing_left "$what: nothing is left"
	rm -f "$cache"*
	start_disk
	quietly blockio verify -d "$file" -m model
	ok $? "$what: all bytes from the bucket"
	stop_disk
}

draining() {
	write_conf drain size=32m prefix=drain- blockCacheSize=200 blockCacheWriteDelay=60s
	start_service
	put "$file" 0 65536 x
	fault 'put:key=*0000*:503:for=7s'
	kill "$service"
	wait_for 20 grep -q 'got STATUS=uploading what is left: 64' notify.log
	ok $? "draining: STATUS says how much is left"
	has "$(cat notify.log)" 'got EXTEND_TIMEOUT_USEC=[0-9]+' "and more time is asked for"
	wait "$service"
	is $? 0 "until all is in the bucket"
	is "$(object drain-00000000 | sum)" "$(sum <put.tmp)" "and it is"
}

# Unmounted in the same moment: the next one finishes what the one before had begun.
unmounted() {
	write_conf unmounted size=32m prefix=unmounted- blockCacheFile="$work/cache.unmounted" blockCacheSize=200
	start_service
	put "$file" 0 65536 x
	exec 9<"$file"
	umount -l "$mnt"
	kill -KILL "$(disk_pid)"
	wait_for 20 grep -q 'unmounted meanwhile' "$run/log"
	ok $? "unmounted, in use, and killed: taken over" || disk_log
	is "$(dd bs=64k count=1 status=none <&9 | sum)" "$(sum <put.tmp)" "who has it open can read"
	exec 9<&-
	wait "$service"
	is $? 0 "after the last user it ends"
	is "$(object unmounted-00000000 | sum)" "$(sum <put.tmp)" "with all in the bucket"
	nothing_left "nothing is left"
}

# Without a store the mount ends; what was synced is there at the next start, at once.
killed_without_store() {
	write_conf alone size=32m prefix=alone- blockCacheFile="$work/cache.alone" blockCacheSize=200 \
	    blockCacheWriteDelay=60s
	must_start
	put "$file" 0 $((1 << 20)) x
	sync "$file"
	local pids
	pids=$(disk_pids)
	# Not gone yet when the next one looks: a process that was killed ends when it gets a processor.
	(sleep 0.2; kill -KILL "$(disk_pid)") &
	start_disk
	ok $? "killed without a store, started at once" || disk_log
	is "$(get "$file" 0 $((1 << 20)) | sum)" "$(sum <put.tmp)" "what was synced is there"
	# shellcheck disable=SC2086 # a list
	wait_for 20 all_gone $pids
	ok $? "the roles of the dead have left"
	stop_disk
}

store s3
latency 5
under_load "roles live on"
under_load "roles are killed, too" -k
draining
unmounted
killed_without_store
done_testing
