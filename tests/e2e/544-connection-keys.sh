#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys that show in connections, times and encodings: ipTOS, noCurlCache, debug-http, maxTransfers,
# uploaders, timeout, initialRetryPause, maxRetryPause, defaultContentEncoding, compress, compress-level.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
wire_conf() { write_conf size=8m blockSize=64k readAhead=0 "$@"; }

# ---- connections ----------------------------------------------------------------------------------------------------
ahead() { dd if="$file" of=/dev/null bs=64k skip=$((10 + $1)) count="${2:-20}" iflag=direct status=none; }
wire_conf listBlocks=no noCurlCache=yes uploaders=1 size=8m
must_start
server_reset
ahead 0
le "$(server_stats get)" "$(server_stats connections)" "noCurlCache: a connection for each request"
stop_disk
wire_conf listBlocks=no uploaders=3 size=8m
must_start
server_reset
ahead 30
le "$(server_stats connections)" 19 "without it they are used again"
is "$(pgrep -P "$(disk_pid)" -f uploader | wc -l)" 3 "uploaders: so many processes"
stop_disk
wire_conf listBlocks=no maxTransfers=4 blockCacheWriteDelay=0
latency 50
must_start
server_reset
put "$file" 0 $((60 * 65536)) many
quietly ctl flush
latency 0
le "$(server_stats peak_in_flight)" 4 "maxTransfers: never more requests in flight"
stop_disk
if command -v ss >/dev/null && ss --help 2>&1 | grep -q -- --tos; then
	wire_conf listBlocks=no ipTOS=af21
	must_start
	latency 300
	ahead 60 8 &
	reader=$!
	wait_for 10 eval 'ss -tn --tos dst 127.0.0.1:$port | grep -q "tos:0x48"'
	ok $? "ipTOS: the connections carry it"
	wait "$reader"
	latency 0
	stop_disk
else
	note "no ss --tos here: ipTOS not looked at"
fi

# ---- time ---------------------------------------------------------------------------------------------------------------
wire_conf listBlocks=no timeout=1s initialRetryPause=1ms maxRetryPause=300ms
must_start
fault 'get:stall=60s'
from=$(now_ms)
timeout 60 dd if="$file" of=/dev/null bs=64k skip=100 count=1 iflag=direct 2>/dev/null
is $? 1 "maxRetryPause: a read that keeps failing ends in an error"
le 1000 $(($(now_ms) - from)) "timeout: but each attempt has its time, ms"
has "$(cat "$run/log")" 'no answer for 1\.[0-9] s' "which the log names"
no_fault
# A read that succeeds: else the next one may begin in an outage, where one may ask a second.
reads() { timeout 20 dd if="$file" of=/dev/null bs=64k skip=99 count=1 iflag=direct status=none 2>/dev/null; }
wait_for 20 reads
ok $? "and a read after that does not"
fault 'get:503'
server_reset
timeout 60 dd if="$file" of=/dev/null bs=64k skip=101 count=1 iflag=direct 2>/dev/null
le 5 "$(server_stats get)" "initialRetryPause: short pauses, many attempts"
no_fault
stop_disk

# ---- encodings -----------------------------------------------------------------------------------------------------------
zeroes() { head -c 65536 /dev/zero | tr '\0' a; }
wire_conf compress=deflate compress-level=9 size=1m prefix=z-
must_start
zeroes | dd of="$file" bs=64k conv=notrunc status=none
stop_disk
has "$(adm -D - -o raw "$admin/object/bkt/z-00000000")" 'ncoding: deflate' "compress: the encoding is named"
le "$(wc -c <raw)" 1000 "and the object small"
is "$(head -c 2 raw | od -An -tx1 | tr -d ' ')" 78da "compress-level = 9: zlib's header says so"
# A store that forgets the header.
adm -X PUT -H 'Content-Type: application/x-s3backer-block' --data-binary @raw "$admin/object/bkt/z-00000001" >/dev/null
wire_conf size=1m prefix=z- defaultContentEncoding=deflate debug-http=yes logLevel=debug
must_start
cmp -s <(get "$file" 65536 65536) <(zeroes)
ok $? "defaultContentEncoding: what comes without one is decoded"
has "$(cat "$run/log")" '> GET /bkt/z-00000001' "debug-http: requests are in the log"
grep -q "$SECRET\|Signature=" "$run/log"
is $? 1 "but neither key nor signature"
stop_disk
done_testing
