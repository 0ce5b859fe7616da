#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The bucket knows size and block size, as soon as block 0 holds anything.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store s3
fails() { # fails REGEX sentence: one line, exit 1, nothing left
	local out status
	out=$(s3backerd -c "$conf" start 2>&1)
	status=$?
	has "$out" "$1" "$2"
	is "$status $(wc -l <<<"$out")" "1 1" "one line, exit 1"
	nothing_left "nothing is left"
}

write_conf size= blockSize=
fails 'size' "an empty bucket and no size: refused"

write_conf size=48m blockSize=128k
must_start
put "$file" 262144 4096 x
stop_disk
write_conf size= blockSize=
fails 'size' "block 0 is zero, so the bucket still does not know: refused"

write_conf size=48m blockSize=128k
must_start
put "$file" 5 100 x
stop_disk
write_conf size= blockSize=
start_disk
ok $? "block 0 holds something: no size needed" || disk_log
is "$(status disk.size) $(status disk.blockSize) $(status disk.blocks)" "50331648 131072 384" \
    "size and block size are those of the bucket"
is "$(stat -c %s "$file")" 50331648 "and of the file"
stop_disk

write_conf size=64m blockSize=
fails 'size' "another size: refused"
write_conf size=48m blockSize=64k
fails 'blockSize' "another block size: refused"
write_conf size=96m blockSize= force=yes
start_disk
ok $? "force lets the disk grow" || disk_log
put "$file" 5 100 y
put "$file" 100000000 500 z
stop_disk
write_conf size= blockSize=
must_start
is "$(status disk.size)" 100663296 "and the bucket knows the new size after a write of block 0"
is "$(get "$file" 100000000 500 | sum)" "$(sum <put.tmp)" "what was written beyond the old end is there"
stop_disk

write_conf size=16m blockSize=4k noAutoDetect=yes prefix=auto-
start_disk
ok $? "noAutoDetect: the configuration is believed" || disk_log
is "$(status disk.blocks)" 4096 "blocks"
stop_disk

store dir
write_conf size= blockSize=
fails 'size' "an empty directory and no size: refused"
done_testing
