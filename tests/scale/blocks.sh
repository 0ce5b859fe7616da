#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Ten million blocks in the bucket, on a disk of 1 PiB over which they are spread: the start does not wait
# for the listing, nor does a read; the map takes two bits a block; the server gets one request a thousand.
#
# BLOCKS=N for another number.  The names come from the test server, which keeps nothing of them.

LIMIT=900 NEEDS="fuse"
. "$(dirname "$(readlink -f "$0")")/../e2e/lib.sh"
. "$root/tests/scale/measure.sh"

BLOCKS=${BLOCKS:-10000000}
MIB=$((1 << 20))

listed() { status_json | jq '.counters.survey_keys // empty'; }
one_disk() { # one_disk NAME STEP SIZE BLOCKSIZE WHAT
	local step=$2 bytes
	bytes=$(numfmt --from=iec "${4^^}")
	[ -z "${server_pid:-}" ] || stop_server
	start_server --synthetic-blocks "$BLOCKS:$step:$bytes" --log /dev/null
	store s3
	write_conf "$1" size="$3" blockSize="$4" blockCacheSize=64
	begin
	must_start
	took
	figure "$5: start" "$elapsed ms"
	begin
	get "$file" $((bytes * step * 7)) 4096 | tr -d S | wc -c >got
	took
	is "$(cat got)" 0 "$5: a read"
	surveyed && figure "$5: first read" "$elapsed ms (listing over)" || figure "$5: first read, listing under way" "$elapsed ms"
	begun=$(($(now_ms) - elapsed))
	wait_for 800 surveyed
	took
	figure "$5: listing" "$((elapsed / 1000)) s, $((BLOCKS * 1000 / elapsed)) blocks/s"
	figure "$5: requests" "$(server_stats get) GETs and lists; $(server_stats list) lists"
	is "$(sed -n 's/.*survey of the bucket is complete: blocks=//p' "$run/log")" "$BLOCKS" "$5: all are known"
	figure "$5: memory" "$(memory_line)"
	get "$file" $((bytes * step * 3 + bytes)) 4096 | tr -d S | wc -c >got
	begin
	fallocate -p -o 0 -l "$(stat -c %s "$file")" "$file"
	ok $? "$5: all of it trimmed"
	took
	figure "$5: trim of all" "$elapsed ms"
	figure "$5: memory after it" "$(memory_line)"
	is "$(grep -c ' died' "$run/log")" 0 "$5: nobody was replaced"
	kill_disk
}
one_disk dense 1 $((BLOCKS * 65536)) 64k "$BLOCKS blocks side by side"
one_disk spread $((1000000000 / BLOCKS)) 1p 1m "$BLOCKS blocks over 1 PiB"
done_testing
