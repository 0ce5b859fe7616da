#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A random read of a large block fetches the part that is wanted, the second one the rest; what must be
# verified or decoded comes whole.

LIMIT=90
. "$(dirname "$0")/lib.sh"

MB=$((1 << 20))
fetched() { ctl metrics | awk '$1 ~ /^s3backer_get_bytes/ { n += $2 } END { print n / 1024 }'; }
same() { # same FILE BYTES SENTENCE: FILE at $at is the disk there
	cmp -s <(dd if="$file" bs="$2" count=1 skip="$at" iflag=direct,skip_bytes status=none) <(get "$1" "$at" "$2")
	ok $? "$3"
}

store s3
write_conf size=64m blockSize=1m blockCacheSize=32m verifyReads=no readAhead=0 compress=no
must_start
put "$file" 0 $((16 * MB)) all
mv put.tmp all
restart_cold
before=$(fetched) mark=$(server_mark)
at=$((5 * MB + 300 * 1024))
same all 4096 "4 KiB in the middle of a block"
is "$(($(fetched) - before))" 16 "16 KiB are fetched for it"
same all 4096 "the same once more"
is "$(block_requests GET)" 1 "comes from the cache"
at=$((5 * MB))
same all $((64 * 1024)) "another part of the block"
at=$((5 * MB + 900 * 1024))
same all 4096 "and another"
is "$(($(fetched) - before)) $(block_requests GET)" "1040 2" "all of it was fetched by then: KiB, GETs"

at=$((9 * MB + 4096 * 50))
same all 4096 "a part of a block"
random_file new 6144 new
dd if=new of="$file" bs=6144 seek=$((9 * MB + 4096 * 100)) oflag=seek_bytes conv=notrunc status=none
dd if=new of=all bs=6144 seek=$((9 * MB + 4096 * 100)) oflag=seek_bytes conv=notrunc status=none
at=$((9 * MB + 4096 * 50))
same all 4096 "that is then written to"
# Readers and a writer of one block at the same time, while the part is under way.
latency 300
at=$((11 * MB + 4096 * 7))
dd if="$file" of=part bs=4096 count=1 skip="$at" iflag=direct,skip_bytes status=none &
reader=$!
dd if="$file" of=part2 bs=4096 count=1 skip=$((at + 80 * 4096)) iflag=direct,skip_bytes status=none &
reader2=$!
dd if=new of="$file" bs=4096 count=1 seek=$((at + 4096)) oflag=seek_bytes,direct conv=notrunc status=none
dd if=new of=all bs=4096 count=1 seek=$((at + 4096)) oflag=seek_bytes conv=notrunc status=none
wait "$reader" "$reader2"
cmp -s part <(get all "$at" 4096) && cmp -s part2 <(get all $((at + 80 * 4096)) 4096)
ok $? "two readers and a writer in a block that is not there"
latency 0
quietly ctl flush
restart_cold
is "$(get "$file" 0 $((16 * MB)) | sum)" "$(sum <all)" "the bucket has all of it"
stop_disk

# What is stored compressed has no parts that anybody could use.
write_conf packed size=64m blockSize=1m blockCacheSize=32m verifyReads=no readAhead=0 prefix=packed- compress=deflate
must_start
seq 2000000 | head -c $((4 * MB)) >text
dd if=text of="$file" bs=1M conv=notrunc status=none
stop_disk
sed -i '/^compress/d' "$conf"
must_start
mark=$(server_mark) at=$((2 * MB + 40960))
same text 4096 "4 KiB of a block that is stored compressed"
n=$(block_requests GET)
at=$((2 * MB + 819200))
same text 4096 "and another 4 KiB"
is "$(block_requests GET)" "$n" "which had come with the first"
stop_disk

# Over a line that nothing guards, a part could not be verified.
write_conf strict size=64m blockSize=1m blockCacheSize=32m prefix=strict- readAhead=0 initialRetryPause=20ms maxRetryPause=1s
must_start
put "$file" 0 $((3 * MB)) strict
quietly ctl flush
fault 'put:garbage'
put "$file" $((2 * MB)) $MB damaged
quietly ctl flush
no_fault
restart_cold
has "$(dd if="$file" bs=4096 count=1 skip=$((2 * MB + 8192)) iflag=direct,skip_bytes 2>&1 >/dev/null)" 'Input/output error' \
    "4 KiB of a block that the store has damaged: EIO"
stop_disk
ok $? "stop"
done_testing
