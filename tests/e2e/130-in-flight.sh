#!/bin/bash
# SPDX-License-Identifier: ISC
#
# maxTransfers = 512 means 512 requests at the same time, and the processes that carry them stay
# small: below 64 MiB together besides the bodies.

LIMIT=120 NEEDS="fuse fio"
. "$(dirname "$0")/lib.sh"

# Memory of the uploaders that is theirs: without the shared segment, which is everybody's.
uploaders_kib() {
	local pid sum=0 n
	for pid in $(status_json | jq -r '.processes[] | select(.role | startswith("uploader")) | .pid'); do
		n=$(awk '/^(RssAnon|RssFile):/ { s += $2 } END { print s }' "/proc/$pid/status")
		sum=$((sum + n))
	done
	echo "$sum"
}
watch_memory() {
	local max=0 n
	while [ ! -e stop ]; do
		n=$(uploaders_kib)
		[ "${n:-0}" -gt "$max" ] && max=$n && echo "$max" >max
	done
}
bodies=$((512 * 64))

store s3
write_conf size=512m blockSize=64k blockCacheSize=512m maxTransfers=512 blockCacheWriteDelay=2s \
    readAhead=0
must_start
latency 800
server_reset
watch_memory &
watcher=$!
put "$file" 0 $((192 << 20)) all
quietly ctl flush
ok $? "3072 blocks uploaded at 800 ms each"
touch stop && wait "$watcher"
peak=$(server_stats peak_in_flight)
# 480 are for PUTs; a busy machine may not hash so many while the first are away.
le 400 "$peak" "512 transfers, PUTs in flight: peak seen by the server"
le "$peak" 530 "and not more than allowed"
case ${S3B_VARIANT:-} in
*address* | *thread*) note "memory is not measured: sanitizers need more" ;;
*) le "$(cat max)" $((65536 + bodies)) "KiB of all uploaders together" ;;
esac
latency 0
restart_cold
ok $? "restart" || disk_log
latency 800
server_reset
rm -f stop max
watch_memory &
watcher=$!
quietly fio --name=r --filename="$file" --rw=randread --bs=64k --size=192m --ioengine=libaio \
    --iodepth=512 --direct=1 --allow_file_create=0 --randseed=1
ok $? "random reads, depth 512"
touch stop && wait "$watcher"
peak=$(server_stats peak_in_flight)
le 500 "$peak" "GETs in flight: peak seen by the server"
case ${S3B_VARIANT:-} in
*address* | *thread*) ;;
*) le "$(cat max)" $((65536 + bodies)) "KiB of all uploaders together" ;;
esac
latency 0
is "$(sum <"$file")" "$({ cat put.tmp; head -c $((320 << 20)) /dev/zero; } | sum)" "and all bytes are right"
stop_disk
ok $? "stop"
done_testing
