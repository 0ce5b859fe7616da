#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A directory as the store, and what it can be asked to do for tests: test, test-delays, test-errors,
# test-discard.

LIMIT=90 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

store dir

# ---- test: the old program's way to say it -------------------------------------------------------------
write_conf bucket="$work/bucket" test=yes size=8m blockSize=64k prefix=abc-
must_start
put "$file" 0 $((3 * 65536)) one
stop_disk
is "$(blocks abc- | tr '\n' ' ')" "abc-00000000 abc-00000001 abc-00000002 " "test: files named as the old program does"
cmp -s <(cat bucket/abc-0000000?) put.tmp
ok $? "which hold nothing but the bytes"
has "$(s3backerd -c "$conf" -o bucket=abc check-config 2>&1)" 'bucket: .*not an absolute path' \
    "test without a directory is refused"
has "$(s3backerd -c "$conf" -o test=no -o bucket=abc -o test-errors=yes check-config 2>&1)" \
    'test-errors: .*directory store' "and so are its errors"

# ---- delays and errors: nothing is lost, and every one is seen ------------------------------------------
write_conf size=16m blockSize=64k test-delays=yes test-errors=yes initialRetryPause=10ms \
    blockCacheSize=64 blockCacheWriteDelay=0
must_start
mkdir -p model
truncate -s 16m model/file
for i in 1 2 3; do
	put "$file" $((i * 1000003)) 2000000 "seed$i"
	dd if=put.tmp of=model/file bs=1M seek=$((i * 1000003)) oflag=seek_bytes conv=notrunc status=none
	quietly ctl flush
done
ok $? "with test-errors a flush succeeds all the same"
retried=$(status_json | jq '[.transfers[] | objects | .retried] | add')
le 1 "$retried" "after failures: attempts repeated"
quietly cmp "$file" model/file
ok $? "what was written is read, through errors"
stop_disk
write_conf size=16m blockSize=64k
must_start
quietly cmp "$file" model/file
ok $? "and lies in the directory"
stop_disk

# 20 to 120 ms for each request: 16 one after the other cannot take less than 320 ms.
write_conf size=16m blockSize=64k test-delays=yes readAhead=0 listBlocks=no
must_start
from=$(now_ms)
for i in $(seq 32 47); do dd if="$file" of=/dev/null bs=64k skip="$i" count=1 iflag=direct status=none; done
le 320 $(($(now_ms) - from)) "test-delays: 16 reads in a row, ms"
stop_disk

# ---- discard --------------------------------------------------------------------------------------------
rm -rf bucket/*
write_conf size=16m blockSize=64k blockCacheSize=64 test-discard=yes
must_start
put "$file" 0 $((8 << 20)) gone
quietly ctl flush
ok $? "test-discard: everything is taken"
le 128 "$(status transfers.put.ok)" "in as many uploads"
is "$(blocks | wc -l)" 0 "and nothing is kept"
stop_disk
must_start
is "$(get "$file" 0 65536 | tr -d '\0' | wc -c)" 0 "it reads as zeros after the next start"
stop_disk
nothing_left "in the end nothing is left"
done_testing
