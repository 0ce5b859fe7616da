#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What `s3backerctl probe` finds out about somebody else's server, shown in full: the table of the README
# is made from it.  It must agree with what a disk on the same server does.

LIMIT=120
. "$(dirname "$0")/../e2e/lib.sh"

store s3
write_conf
text=$(timeout 100 s3backerctl -c "$conf" probe 2>&1)
is $? 0 "probe"
printf "%s\n" "$text" >"$(dirname "$S3B_SERVER")/probe.txt" # shown at the end of the run
has "$text" '^blockSize = [0-9]+k$' "says a block size"
has "$text" '^maxTransfers = [0-9]+$' "and a number of transfers"
json=$(timeout 100 s3backerctl -c "$conf" --json probe)
is $? 0 "probe as JSON, which a script reads" || note "$json"
is "$(jq -r '.ranges' <<<"$json")" true "a part of an object can be had"
is "$(server_keys | wc -l)" 0 "nothing is left in the bucket"
must_start
case $(jq -r .conditionalPut.ifNoneMatch <<<"$json") in
true) want=strong ;;
*) want=weak ;;
esac
note "conditions: $(jq -c .conditionalPut <<<"$json"), the disk's fence: $(status disk.fence)"
is "$(status disk.fence)" "$want" "the fence of a disk is what the conditions allow"
stop_disk
done_testing
