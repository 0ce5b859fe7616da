#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerd restart: every process is replaced, s3backerd's own image too, under load, and nobody
# using the disk sees it.  A configuration or a program that cannot go on is refused, and all stays.

LIMIT=180
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

v=$(uname -r)
[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ] || skip_all "needs Linux 6.9"

# The programs in a place of their own, where they can be replaced.
mkdir bin
cp "$S3B_BIN"/s3backer* bin/
S3B_BIN=$work/bin PATH=$work/bin:$PATH

fds() { ls "/proc/$(disk_pid)/fd" | wc -l; }
# s3backerd learns a moment later than we that the last client or role has gone; its descriptor goes then.
fds_at_most() { [ "$(fds)" -le "$1" ]; }
status_json() { s3backerctl -s "$run/$disk.sock" --json status; } # whatever the configuration says now
pids() { status_json | jq -c '[.processes[] | select(.role != "s3backerd").pid]'; }
refused() { # refused REGEX sentence
	local out before fd
	before=$(pids) fd=$(fds)
	out=$("${3:-s3backerd}" -c "$conf" restart 2>&1)
	is $? 1 "$2: refused"
	has "$out" "$1" "$2: and why"
	is "$(pids)" "$before" "$2: all processes are as they were"
	is "$(status state)" running "$2: the disk goes on"
	wait_for 5 fds_at_most "$fd"
	le "$(fds)" "$fd" "$2: no descriptor is left over"
}

under_load() {
	local before after io n self fd
	write_conf load size=32m prefix=load- uploaders=2 blockCacheFile="$work/cache" blockCacheSize=200
	must_start -o blockCacheWriteDelay=100ms 77</dev/null
	[ ! -e "/proc/$(disk_pid)/fd/77" ]
	ok $? "what the caller had open is not held"
	rm -f model && truncate -s 32m model
	self=$(disk_pid) fd=$(fds)
	blockio run -d "$file" -m model -s "$SEED" -t 6 -T 12 -D >io.out 2>&1 &
	io=$!
	for n in 1 2 3 4 5; do
		# The next version of the program lies where this one was.
		cp bin/s3backerd bin/new && mv bin/new bin/s3backerd
		before=$(pids)
		timeout 30 s3backerd -c "$conf" restart || { disk_log 60; break; }
		after=$(pids)
		[ "$(jq -n "$before - $after | length")" = 4 ] || break
	done
	is "$n" 5 "restarted five times, each time four new processes"
	wait "$io"
	ok $? "no error and no wrong byte meanwhile (seed $SEED)" || { sed 's/^/# /' io.out; disk_log; }
	is "$(disk_pid)" "$self" "s3backerd keeps its process id"
	wait_for 5 fds_at_most "$fd"
	le "$(fds)" "$fd" "and has no more descriptors than before"
	is "$(status 'processes[] | select(.role == "s3backerd").restarts')" 5 "its restarts are counted"
	is "$(grep -c ' died: ' "$run/log")" 0 "nobody died"
	is "$(readlink "/proc/$self/exe")" "$work/bin/s3backerd" "it is the program that is there now"
	s3backerd -c "$conf" start 2>err
	is $? 1 "a second start is refused"
	has "$(cat err)" "already running: pid $self" "by the lock that went on, too"
	restart_cold
	ok $? "stop, empty cache, start" || disk_log
	quietly blockio verify -d "$file" -m model
	ok $? "all bytes from the bucket"
	stop_disk
	nothing_left "nothing is left"
}

the_configuration() {
	write_conf conf size=32m prefix=conf- blockCacheSize=200 leaseTime=30s accessKey= accessKeyEnv=S3_KEY
	export S3_KEY=$SECRET
	must_start
	unset S3_KEY
	echo 'blockCacheWriteDelay = 77s' >>"$conf"
	put "$file" 0 65536 x
	s3backerd -c "$conf" restart
	ok $? "a limit has changed: restart" || disk_log
	put "$file" 0 65536 y
	put "$file" 0 65536 z
	ctl flush >/dev/null
	ok $? "and the key that was in the environment is still known"
	cp "$conf" sav
	echo 'size = 64m' >>"$conf"
	refused 'size has changed since the start' "another size"
	cp sav "$conf"
	echo 'prefix = other' >>"$conf"
	refused 'prefix has changed' "another prefix"
	cp sav "$conf"
	echo 'nonsense = 1' >>"$conf"
	refused "conf.conf:[0-9]+: nonsense" "a configuration that cannot be read"
	cp sav "$conf"
	printf '#!/bin/sh\nexit 7\n' >bin/new && chmod +x bin/new
	mv bin/s3backerd bin/old && mv bin/new bin/s3backerd
	refused 'restart: ' "a program that does not work" bin/old
	mv bin/old bin/s3backerd
	get "$file" 0 65536 | cmp - put.tmp
	ok $? "the bytes are there"
	stop_disk
	is "$(object conf-00000000 | sum)" "$(sum <put.tmp)" "and in the bucket"
}

# What was set while it runs counts until the stop.
set_counts() {
	write_conf set size=32m prefix=set- blockCacheSize=200 blockCacheWriteDelay=60s maxDirtyAge=5m
	must_start
	put "$file" 0 65536 x
	wait_for 5 test "$(status cache.dirtyBlocks)" = 1
	ok $? "a write delay of a minute: the block waits"
	ctl set blockCacheWriteDelay 50ms
	wait_for 10 is_clean
	ok $? "set to 50 ms: it does not wait any more"
	s3backerd -c "$conf" restart
	ok $? "restart" || disk_log
	put "$file" 0 65536 y
	wait_for 10 is_clean
	ok $? "it still does not"
	stop_disk && start_disk
	put "$file" 0 65536 z
	! wait_for 2 is_clean 2>/dev/null
	ok $? "after stop and start the file counts"
	stop_disk
}

# A client that waits for something else goes on waiting.
a_flush_goes_on() {
	write_conf wait size=32m prefix=wait- blockCacheSize=200
	must_start
	fault 'put:key=*0000*:503'
	put "$file" 0 65536 x
	ctl flush >flush.out 2>&1 &
	local flush=$!
	wait_for 10 above 0
	s3backerd -c "$conf" restart
	ok $? "restart while a flush waits"
	kill -0 $flush
	ok $? "it waits on"
	no_fault
	wait $flush
	ok $? "and is told when the bucket holds everything" || cat flush.out
	stop_disk
}
above() { [ "$(status transfers.put.retried)" -gt "$1" ]; }

store s3
latency 5
under_load
the_configuration
set_counts
a_flush_goes_on
done_testing
