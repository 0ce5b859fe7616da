#!/bin/bash
# SPDX-License-Identifier: ISC
#
# uploadLimit and downloadLimit hold for the whole pool, whoever of it dies, and change while the disk
# runs; reads do not wait for what is being uploaded.  maxUploadSpeed and maxDownloadSpeed hold for each
# request for itself.  All bounds are "not faster than": how fast the machine is does not matter.

LIMIT=100
. "$(dirname "$0")/lib.sh"

store s3
rate_conf() {
	write_conf size=32m blockSize=64k blockCacheSize=32m readAhead=0 blockCacheWriteDelay=0 \
	    uploaders=3 maxTransfers=24 listBlocks=no "$@"
}
# not_faster BYTES MS RATE sentence: at most a tenth more than RATE bytes a second, and what it may begin with
not_faster() {
	le "$1" $(($3 * 11 / 10 * ($2 + 200) / 1000)) "$4 in $2 ms, bytes"
}

# ---- 1 MB/s, three processes, one of which dies -------------------------------------------------
rate_conf uploadLimit=8m
must_start
server_reset
from=$(now_ms)
put "$file" 0 $((4 << 20)) one
cp put.tmp one
quietly ctl flush &
flush=$!
wait_for 20 eval '[ "$(server_stats bytes_in)" -gt 1500000 ]'
kill -9 "$(role_pid uploader.1)"
wait "$flush"
ok $? "4 MiB are uploaded although an uploader died"
span=$(($(now_ms) - from))
le $((4 << 20)) "$(server_stats bytes_in)" "the server got all of it"
not_faster "$(server_stats bytes_in)" "$span" 1000000 "uploadLimit = 8m: uploaded"

# ---- a read in the middle of an upload that takes a minute --------------------------------------
stop_disk
must_start
put "$file" $((8 << 20)) $((8 << 20)) two
cp put.tmp two
server_reset
wait_for 20 eval '[ "$(server_stats put)" -gt 0 ]'
quietly cmp <(get "$file" 0 $((1 << 20))) <(head -c $((1 << 20)) one)
ok $? "what is in the bucket is read"
le 1 "$(status cache.dirtyBlocks)" "while uploads still wait for their turn"
# The rest would take 8 s; without a limit it does not.
quietly ctl set uploadLimit 0
ok $? "the limit is lifted while the disk runs"
ctl set uploadLimit 800m 2>&1 | grep -q restart
is $? 1 "and needs no restart"
quietly ctl flush
ok $? "all is uploaded"

# ---- set while it runs ----------------------------------------------------------------------------
quietly ctl set uploadLimit 8m
put "$file" $((16 << 20)) $((3 << 20)) three
server_reset
from=$(now_ms)
put "$file" $((20 << 20)) $((3 << 20)) four
quietly ctl flush
not_faster "$(server_stats bytes_in)" $(($(now_ms) - from)) 1000000 "a limit that was set: uploaded"

# ---- downloads ------------------------------------------------------------------------------------
stop_disk
rate_conf downloadLimit=16m readAhead=16
must_start
server_reset
from=$(now_ms)
quietly cmp <(get "$file" 0 $((4 << 20))) one
ok $? "4 MiB are read, with read-ahead"
span=$(($(now_ms) - from))
not_faster "$(server_stats bytes_out)" "$span" 2000000 "downloadLimit = 16m: downloaded"

# ---- of each for itself ---------------------------------------------------------------------------
stop_disk
rate_conf maxUploadSpeed=512k maxDownloadSpeed=512k blockCacheWriteDelay=10s uploaders=1
must_start
put "$file" $((24 << 20)) 65536 five
server_reset
from=$(now_ms)
quietly ctl flush
span=$(($(now_ms) - from))
# 64 KiB a second; the last buffers are sent without a pause
le 300 "$span" "maxUploadSpeed = 512k: one block of 64k takes its time, ms"
restart_cold
from=$(now_ms)
get "$file" $((24 << 20)) 65536 | cmp - put.tmp
ok $? "it is read"
le 300 $(($(now_ms) - from)) "maxDownloadSpeed = 512k: as long, ms"
stop_disk
done_testing
