#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Each role is killed while the disk is in use: nobody sees an error, nothing is lost.

LIMIT=180
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

resends() { # can the kernel send unanswered requests again?
	local v
	v=$(uname -r)
	[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ]
}
is_back() { # is_back ROLE OLDPID
	local pid
	pid=$(role_pid "$1")
	[ -n "$pid" ] && [ "$pid" != 0 ] && [ "$pid" != "$2" ]
}

kill_role() { # kill_role ROLE TIMES KEY=VALUE...
	local role=$1 n pid io
	write_conf "$role" size=32m prefix="$role-" "${@:3}"
	must_start
	rm -f model && truncate -s 32m model
	blockio run -d "$file" -m model -s "$SEED" -t 6 -T $((4 + $2)) -D >io.out 2>&1 &
	io=$!
	for n in $(seq "$2"); do
		pid=$(role_pid "$role")
		kill -9 "$pid"
		wait_for 20 is_back "$role" "$pid" || break
		wait_for 20 test "$(get "$file" 0 1 | wc -c)" = 1
	done
	is "$n" "$2" "$role: killed and replaced $2 times"
	wait "$io"
	ok $? "$role: no error and no wrong byte meanwhile (seed $SEED)" || { sed 's/^/# /' io.out; disk_log 10; }
	expect_counter "processes[] | select(.role == \"$role\") | .restarts" -ge "$2" "$role: restarts are counted"
	has "$(cat "$run/log")" "$role died: pid=$pid signal=KILL" "$role: an obituary in the log"
	restart_cold
	ok $? "$role: stop, empty cache, start" || disk_log
	quietly blockio verify -d "$file" -m model
	ok $? "$role: all bytes from the bucket"
	stop_disk
	nothing_left "$role: nothing is left"
}

# Cachemgr again and again under fio; each time the uploaders end with it, before its successor starts.
under_fio() {
	local n pid fio up
	write_conf fio size=64m prefix=fio- uploaders=2 blockCacheFile="$work/cache.fio" blockCacheSize=400
	must_start
	fio --name=disk --filename="$file" --rw=randrw --bsrange=4k-128k --size=64m --ioengine=libaio \
	    --iodepth=8 --direct=1 --randseed="$SEED" --verify=crc32c --verify_fatal=1 --verify_backlog=64 \
	    --verify_state_save=0 --fallocate=none --allow_file_create=0 --time_based --runtime=14 \
	    >fio.out 2>&1 &
	fio=$!
	for n in $(seq 6); do
		pid=$(role_pid cachemgr) up=$(role_pid uploader.0)
		kill -9 "$pid"
		wait_for 20 is_back cachemgr "$pid" && wait_for 20 is_back uploader.0 "$up" || break
		wait_for 20 test "$(get "$file" 0 1 | wc -c)" = 1
	done
	is "$n" 6 "fio: cachemgr killed and replaced 6 times, the uploaders with it"
	wait "$fio"
	ok $? "fio: no error, nothing read back wrong" || { sed 's/^/# /' fio.out; disk_log 20; }
	is "$(grep -cE 'cachemgr died:|uploader.[01] died:' "$run/log")" 6 "fio: one obituary for each kill"
	is "$(awk '/cachemgr died:/ { left = 2 } /uploader.[01] ended:/ { left-- }
	    /cachemgr is ready:/ && left > 0 { bad++ } END { print bad + 0 }' "$run/log")" 0 \
	    "fio: no cachemgr beside uploaders of the one before"
	stop_disk
	ok $? "fio: stop"
}

store s3
latency 5
if command -v fio >/dev/null; then under_fio; else note "no fio"; fi
kill_role uploader.0 4 blockCacheFile="$work/cache.u" blockCacheSize=200
kill_role cachemgr 4 blockCacheFile="$work/cache.c" blockCacheSize=200
if resends; then
	kill_role frontend 4 blockCacheFile="$work/cache.f" blockCacheSize=200
else
	note "Linux before 6.9: the death of a frontend ends the mount"
fi
kill_role cachemgr 2 blockCacheSize=200 prefix=memory-
done_testing
