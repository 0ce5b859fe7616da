#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A cache file that was damaged while the disk was stopped with changes in it: the start is refused, says
# why and what can be done, and the two ways out work.

LIMIT=60 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

# The journal begins at 4096; its second batch, of the second flush, is found by its name.
batches() { grep -abo S3BJRNL3 "$work/cache" | cut -d: -f1; }
flip() { # flip OFFSET: one bit
	local byte
	byte=$(od -An -tu1 -j "$1" -N 1 "$work/cache")
	printf '%b' "\\x$(printf %02x $((byte ^ 1)))" |
	    dd of="$work/cache" bs=1 seek="$1" conv=notrunc status=none
}
start() { "$S3B_BIN/s3backerd" -c "$conf" start "$@" >start.out 2>&1; }

store dir
write_conf blockCacheFile="$work/cache" size=4m blockSize=64k blockCacheSize=1m blockCacheWriteDelay=10m maxDirtyAge=1h
must_start
for i in 0 1 2; do
	put "$file" $((i * 65536)) 65536 "v$i"
	sync "$file"
done
"$S3B_BIN/s3backerd" -c "$conf" stop --keep-dirty >/dev/null
ok $? "stopped with changes in the cache file"
cp --sparse=always cache cache.good
mapfile -t at < <(batches)
ok $((${#at[@]} < 3)) "its journal has ${#at[@]} batches"

flip $((at[1] + 70))
start
ok $((! $?)) "a changed bit in the middle of the journal: not started"
has "$(cat start.out)" 'journal of the cache file is damaged.*--dirty=set-aside.*--dirty=upload' "which says what can be done"
cp --sparse=always cache.good cache
flip $((at[-1] + 70))
start
ok $((! $?)) "in its last batch, after an ordered end: not started"
cp --sparse=always cache.good cache
truncate -s 1048576 cache
start
ok $((! $?)) "a file that was cut off: not started"
has "$(cat start.out)" 'cut off' "which is said"

cp --sparse=always cache.good cache
must_start
is "$(get "$file" 131072 65536 | sum)" "$(random_file k 65536 v2 && sum <k)" "the good one brings all changes back"
stop_disk
cp --sparse=always cache.good cache
flip $((at[-1] + 70))
start --dirty=set-aside
ok $? "start --dirty=set-aside"
stop_disk
ls cache.*[0-9]* >/dev/null 2>&1
ok $? "which keeps the damaged file"
done_testing
