#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Reads stay fast while a backlog is uploaded, and writers are slowed smoothly, not stopped.

LIMIT=150
. "$(dirname "$0")/lib.sh"

store s3
write_conf size=256m blockCacheSize=128m blockCacheMaxDirty=32m readAhead=0 blockCacheWriteDelay=0
must_start
uploaders=$(status_json | jq '[.processes[] | select(.role | startswith("uploader"))] | length')
put "$file" 0 $((16 << 20)) old
cp put.tmp old
restart_cold
latency 20
adm -X POST "$admin/bandwidth?up=4M&down=0" >/dev/null

# A writer for whom the network is much too slow.
write_on() {
	local off=$((64 << 20)) t longest=0
	random_file chunk $((256 << 10)) chunk
	while [ ! -e stop ]; do
		[ -e longest ] || longest=0
		t=$(now_ms)
		dd if=chunk of="$file" bs=256k seek="$off" oflag=seek_bytes,direct conv=notrunc status=none || break
		t=$(($(now_ms) - t))
		[ "$t" -gt "$longest" ] && longest=$t && echo "$longest" >longest
		off=$((off + 262144))
		[ "$off" -lt $((250 << 20)) ] || off=$((64 << 20))
	done
}
is_behind() { [ "$(status cache.dirtyBytes)" -ge $((24 << 20)) ]; }
write_on &
writer=$!
wait_for 60 is_behind
ok $? "the writer is 24 MiB ahead of the network"
# Its threads that hash are always below, the one that transfers while it sends; with CAP_SYS_RESOURCE only
# while it sends.
niceness() { cat /proc/"$(role_pid uploader."$1")"/stat | awk '{ print $19 }'; }
is_nice() { [ "$(niceness "$1")" = "$2" ]; }
if [ "$(nice)" = 0 ]; then
	wait_for 30 is_nice "$((uploaders - 1))" 10
	ok $? "an uploader that sends leaves the processors to those who serve reads"
fi
rm -f longest
slowest=0
for i in $(seq 40); do
	t=$(now_ms)
	cmp -s <(dd if="$file" bs=64k count=1 skip=$((i * 6)) iflag=direct status=none) \
	    <(get old $((i * 6 * 65536)) 65536) || ok 1 "block $((i * 6)) is right"
	t=$(($(now_ms) - t))
	[ "$t" -gt "$slowest" ] && slowest=$t
done
# What was written before them takes 48 s.
le "$slowest" $((6000 * slow)) "the slowest of forty reads of what is not cached, ms"
wait_for 10 test -s longest
le "$(cat longest)" $((10000 * slow)) "the slowest write meanwhile, ms"
le "$(status cache.dirtyBytes)" $((33 << 20)) "and what waits stays within its bound"
touch stop
wait "$writer"
if [ "$(nice)" = 0 ] && (ulimit -e 21) 2>/dev/null; then
	adm -X POST "$admin/bandwidth?up=0&down=0" >/dev/null
	ctl flush >/dev/null
	wait_for 30 is_nice 0 0
	ok $? "and is their equal when it does not send"
fi
adm -X POST "$admin/bandwidth?up=0&down=0" >/dev/null
stop_disk
ok $? "stop"
done_testing
