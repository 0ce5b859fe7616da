#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A cache in memory lies in huge pages where the kernel has any to give, and holds the same bytes: they are
# made while it is being written and read.

LIMIT=120 NEEDS="root fuse jq"
. "$(dirname "$0")/lib.sh"

seen() { # reading maps what there is; else the log says why there is none
	dd if="$file" of=/dev/null bs=1M count=24 iflag=direct status=none || return
	grep -q 'no huge pages' "$run/log" ||
	    [ "$(awk '/^ShmemPmdMapped/ { print $2 }' "/proc/$(role_pid frontend)/smaps_rollup")" -gt 0 ]
}
same() { cmp -n $((24 << 20)) noise "$file"; }

mkdir -p bucket
write_conf size=1g blockCacheSize=64m
must_start
random_file noise $((24 << 20)) 11
dd if=noise of="$file" bs=64k conv=notrunc,nocreat oflag=direct status=none
ok $? "24 MiB are written"
same
ok $? "and are what is read"
wait_for 60 seen
ok $? "they lie in huge pages, or the log says why not"
same
ok $? "and are what is read still"
cmp -n 1048576 -i $((64 << 20)):0 "$file" /dev/zero
ok $? "a block that was never written is zero"
stop_disk
ok $? "the disk stops"
done_testing
