#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A region and a style of addressing that were found out at the start, against what the configuration
# says, are no change of the configuration: the disk is restarted in place.

LIMIT=60
. "$(dirname "$0")/lib.sh"

store s3
write_conf region=eu-central-1 blockCacheFile="$work/cache"
must_start
put "$file" 0 200000 x
is "$(status disk.region)" us-east-1 "the region of the store was found"
pid=$(role_pid frontend)
quietly s3backerd -c "$conf" restart
ok $? "restart" || disk_log
[ "$(role_pid frontend)" != "$pid" ]
ok $? "with new processes"
is "$(get "$file" 0 200000 | sum)" "$(sum <put.tmp)" "the same bytes"
is "$(status disk.region)" us-east-1 "the region is still known"
put "$file" 0 200000 y
sed -i 's/^bucket = .*/bucket = other/' "$conf"
out=$(s3backerd -c "$conf" restart 2>&1)
has "$out" 'bucket has changed since the start' "what is another disk is refused as before"
sed -i 's/^bucket = .*/bucket = bkt/' "$conf"
stop_disk
ok $? "stop"
is "$(object 00000000 | sum)" "$(head -c 65536 put.tmp | sum)" "with all in the bucket"
nothing_left "nothing is left"
done_testing
