#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The server is killed and started again, and stopped for a while, under load: nobody using the disk
# sees an error, and the bucket holds every byte in the end.  A PUT that was given up while a daemon
# stood still may land late: it must not win over the newer one.

LIMIT=240
. "$(dirname "$0")/../e2e/lib.sh"
SEED=${SEED:-$(date +%s)}

case ${S3B_SERVER_NAME:-} in
rgw*) front=rgw back=osd ;;
*) front=proxy back=object ;;
esac
daemon() { cat "$S3_DIR/$1.pid"; }
replaced() { [ "$(daemon "$1")" != "$2" ]; }
retried() { [ "$(status transfers.put.retried)" -gt "$1" ]; }
answers() { curl -s -o /dev/null --noproxy '*' -m 2 "$S3_URL/"; }

store s3
write_conf size=64m uploaders=2 blockCacheFile="$work/cache" blockCacheSize=400 blockCacheWriteDelay=200ms \
    timeout=5s maxRetryPause=5m # a gateway may take longer than the usual half minute to come back
must_start
rm -f model && truncate -s 64m model
blockio run -d "$file" -m model -s "$SEED" -t 4 -T 40 -D >io.out 2>&1 &
io=$!
end=$((SECONDS + 36)) n=0
while [ $SECONDS -lt $end ]; do
	n=$((n + 1))
	case $((n % 4)) in
	1) victim=$front ;;
	3) victim=$back ;;
	*)
		# Longer than a request may take: it is repeated while the first is still on its way.
		pid=$(daemon $back)
		kill -STOP "$pid"
		before=$(status transfers.put.retried)
		wait_for 12 retried "$before"
		kill -CONT "$pid"
		wait_for 20 answers
		continue
		;;
	esac
	pid=$(daemon $victim)
	kill -KILL "$pid"
	wait_for 20 replaced $victim "$pid"
	wait_for 30 answers
done
note "$n faults (seed $SEED)"
wait $io
ok $? "no error and no wrong byte meanwhile" || { cat io.out >&2; disk_log; }
quietly ctl --timeout 120s flush
ok $? "the bucket holds everything" || disk_log
restart_cold
ok $? "stop, empty cache, start" || disk_log
quietly blockio verify -d "$file" -m model
ok $? "all bytes from the bucket"
stop_disk
done_testing
