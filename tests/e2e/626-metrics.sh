#!/bin/bash
# SPDX-License-Identifier: ISC
#
# metricsListen serves what Prometheus wants to read: whole, to many, and without being held up by
# one who does not read.  What the dashboard and the rules ask for is there.

LIMIT=60 NEEDS="fuse python3"
. "$(dirname "$0")/lib.sh"

mport=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
listen=127.0.0.1:$mport
store s3
write_conf blockCacheSize=50 metricsListen="$listen" debug=no
must_start
put "$file" 0 $((20 << 16)) one
get "$file" 0 65536 >/dev/null
ctl flush >/dev/null
dd if="$file" of=one bs=4096 count=1 iflag=direct status=none
scrape() { curl -sS --noproxy '*' --max-time 20 "$@"; }
scrape -D head "http://$listen/metrics" >page
is $? 0 "it is served"
has "$(cat head)" '^HTTP/1.1 200 OK' "as HTTP/1.1"
has "$(cat head)" '^Content-Type: text/plain; version=0.0.4' "in Prometheus' format"
is "$(sed -n 's/^Content-Length: //p' head | tr -d '\r')" "$(stat -c %s page)" "with its length"
value() { awk -v n="$1" 'index($0, n) == 1 { print $NF }' "${2:-page}"; }
is "$(value 's3backer_disk_bytes{')" 67108864 "a gauge"
is "$(value 's3backer_healthy{')" 1 "health"
is "$(value 's3backer_store_request_duration_seconds_count{disk="disk",op="put"}')" 20 "a histogram counts"
is "$(value 's3backer_store_request_duration_seconds_bucket{disk="disk",op="put",le="+Inf"}')" 20 "up to infinity"
le 1 "$(value 's3backer_disk_request_duration_seconds_count{disk="disk",op="write"}')" "writes of users"
le 1 "$(value 's3backer_disk_request_duration_seconds_count{disk="disk",op="read"}')" "reads"
is "$(grep -c '_us_total\|microsec' page)" 0 "seconds, not microseconds"
is "$(grep -vcE '^# (HELP|TYPE) s3backer_[a-z0-9_]+ |^s3backer_[a-z0-9_]+\{disk="disk"(,[a-z]+="[^"]*")*\} [0-9.e+-]+$' page)" 0 \
    "every line is one of the format"
is "$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' page | sort | uniq -d | wc -l)" 0 "each family once"
ctl metrics >page2
is "$(grep -c '^# TYPE' page2)" "$(grep -c '^# TYPE' page)" "s3backerctl metrics has the same families"

# ---- causes and deaths -------------------------------------------------------------------------
fault 'put:503:count=3'
fault 'put:503=SlowDown:count=2'
put "$file" 0 $((2 << 16)) two
ctl flush >/dev/null
kill -9 "$(role_pid cachemgr)"
came_back() { [ "$(status 'processes[] | select(.role == "cachemgr") | .restarts')" = 1 ]; }
wait_for 20 came_back
scrape "http://$listen/metrics" >page
le 2 "$(($(value 's3backer_retries_total{disk="disk",cause="transient"}') +
    $(value 's3backer_retries_total{disk="disk",cause="throttled"}')))" "retries by cause"
is "$(value 's3backer_process_restarts_total{disk="disk",role="cachemgr"}')" 1 "deaths by role"

# ---- those who misbehave -----------------------------------------------------------------------
is "$(scrape -o /dev/null -w '%{http_code}' "http://$listen/other")" 404 "another path: 404"
is "$(scrape -o /dev/null -w '%{http_code}' -X POST -d x "http://$listen/metrics")" 405 "POST: 405"
is "$(scrape -o /dev/null -w '%{http_code}' -I "http://$listen/metrics")" 200 "HEAD"
python3 - "$mport" <<'END' &
import socket, sys, time
slow = []
for i in range(8):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    s.connect(("127.0.0.1", int(sys.argv[1])))
    s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" if i % 2 else b"GET /met")
    slow.append(s)
open("connected", "w").close()
s = socket.socket()
s.connect(("127.0.0.1", int(sys.argv[1])))
try:
    s.sendall(b"x" * 100000)
except OSError:
    pass
time.sleep(20)
END
slow_pid=$!
on_exit stop_pid "$slow_pid" python
wait_for 10 test -e connected
scrape "http://$listen/metrics" >page3
ok $? "eight that do not read, and one that does"
is "$(tail -c 1 page3 | od -An -c | tr -d ' ')" '\n' "gets all of it"
ctl --timeout 5s status >/dev/null
ok $? "and s3backerd goes on"
kill "$slow_pid"
s3backerd -c "$conf" restart
scrape "http://$listen/metrics" >page3
is $? 0 "after a restart it is served again"
stop_disk

# ---- addresses ---------------------------------------------------------------------------------
write_conf blockCacheSize=50 metricsListen="$work/m.sock"
must_start
scrape --unix-socket "$work/m.sock" http://x/metrics >page3
is $? 0 "a socket file"
stop_disk
[ ! -e "$work/m.sock" ]
ok $? "which goes with the disk"
write_conf blockCacheSize=50 metricsListen=192.0.2.1:9340
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "an address for everybody is refused"
has "$out" 'only loopback is served' "with the reason"

# ---- dashboard and rules -----------------------------------------------------------------------
missing=
for name in $(grep -ohE 's3backer_[a-z0-9_]+' "$root/etc/grafana/s3backer.json" "$root/etc/prometheus/s3backer.rules.yml" | sort -u); do
	[ "$name" = s3backer_scrub_bad_blocks ] || grep -q "^$name{" page || missing="$missing $name"
done
is "$missing" "" "every metric of the dashboard and of the rules is served"
jq -e '.panels | length > 10' "$root/etc/grafana/s3backer.json" >/dev/null
ok $? "the dashboard is JSON"
if command -v promtool >/dev/null; then
	quietly promtool check metrics <page
	ok $? "promtool check metrics"
	quietly promtool check rules "$root/etc/prometheus/s3backer.rules.yml"
	ok $? "promtool check rules"
else
	note "no promtool (package prometheus): its two checks were left out"
fi
done_testing
