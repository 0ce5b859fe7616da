#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerctl: status with every field of the contract, flush, drain, resume, the stats file.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store s3
write_conf blockCacheFile="$work/cache" blockCacheWriteDelay=60s maxDirtyAge=5m
must_start
put "$file" 0 $((2 << 20)) x
get "$file" 0 $((4 << 20)) >/dev/null
status_json >json
jq -e . json >/dev/null
ok $? "status --json is JSON"
for field in version:string state:string disk.bucket:string disk.size:number disk.blockSize:number \
    disk.blocks:number disk.file:string disk.readOnly:boolean disk.fence:string cache.slots:number \
    cache.used:number cache.dirtyBlocks:number cache.dirtyBytes:number cache.oldestDirtySec:number \
    cache.readHits:number cache.readMisses:number cache.writeHits:number cache.evictions:number \
    durability.flushTo:string durability.acked:number durability.local:number \
    durability.bucket:number durability.behindBytes:number durability.behindSec:number \
    transfers.get.ok:number transfers.get.retried:number transfers.get.failed:number \
    transfers.get.bytes:number transfers.put.ok:number transfers.put.retried:number \
    transfers.put.failed:number transfers.put.bytes:number transfers.delete.ok:number \
    transfers.list.ok:number transfers.inFlight:number processes:array; do
	is "$(jq -r ".${field%:*} | type" json)" "${field#*:}" "$field"
done
is "$(jq -r .state json)" running "state"
is "$(jq -r .disk.bucket json)" bkt "bucket"
is "$(jq -r .disk.file json)" "$file" "file"
is "$(jq -r .cache.dirtyBlocks json)" 32 "32 blocks wait"
is "$(jq -r .cache.dirtyBytes json)" 2097152 "with their bytes"
is "$(jq -r '.cache.oldestDirtySec > 0' json)" true "the oldest has an age"
for role in frontend cachemgr uploader; do
	has "$(jq -r '.processes[].role' json)" "^$role" "processes: $role"
done
for pid in $(jq -r '.processes[].pid' json); do
	kill -0 "$pid" 2>/dev/null
	ok $? "process $pid is there"
done
has "$(ctl status)" 'running' "status for people"
has "$(ctl status)" 'uploader' "lists the processes"
stats=$(cat "$mnt/stats")
le 10 "$(wc -l <<<"$stats")" "lines in the stats file"
has "$stats" '[0-9]' "with figures"

mark=$(server_mark)
quietly ctl flush
ok $? "flush"
is "$(block_requests PUT) $(status cache.dirtyBlocks)" "32 0" "uploads all and waits for it"
is "$(status 'durability | .acked == .bucket')" true "durability.bucket has caught up"
put "$file" 0 65536 y
quietly ctl drain
ok $? "drain"
is "$(status state) $(status cache.dirtyBlocks)" "drained 0" "drained"
mark=$(server_mark)
put "$file" 65536 4096 z
is "$(block_requests PUT)" 1 "every write is in the bucket when it returns"
put "$file" 131072 131072 z
le 2 "$(block_requests PUT)" "larger ones, too"
is "$(status cache.dirtyBlocks)" 0 "the disk stays clean"
quietly ctl resume
ok $? "resume"
is "$(status state)" running "running again"
mark=$(server_mark)
put "$file" 65536 4096 w
is "$(block_requests PUT)" 0 "and writes wait in the cache as before"

ctl nonsense >/dev/null 2>&1
is $? 2 "an unknown command: exit 2"
fault put:503
quietly timeout 30 s3backerctl -c "$conf" --timeout 1s flush
is $? 4 "--timeout: exit 4"
no_fault
stop_disk
ok $? "stop"
ctl status >/dev/null 2>&1
is $? 3 "not running: exit 3"
ctl flush >/dev/null 2>&1
is $? 3 "for the others as well"

# Without -c the one disk that runs is found.
write_conf memory prefix=m-
must_start
is "$(s3backerctl -s "$run/$disk.sock" --json status | jq -r .disk.bucket)" bkt "-s SOCKET"
stop_disk
done_testing
