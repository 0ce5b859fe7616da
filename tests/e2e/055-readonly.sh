#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A read-only disk: reads, and refuses to write, punch and zero; the bucket stays as it is.

LIMIT=60
. "$(dirname "$0")/lib.sh"

read_only() {
	write_conf
	must_start
	put "$file" 0 500000 x
	stop_disk
	local before mark=0
	before=$(blocks | while read -r k; do object "$k" | sum; done)
	write_conf readOnly=yes
	[ "$store" = dir ] || mark=$(server_mark)
	must_start
	is "$(status disk.readOnly)" true "status says so"
	is "$(stat -c %a "$file")" 400 "mode 0400"
	is "$(get "$file" 0 500000 | sum)" "$(sum <put.tmp)" "reads"
	dd if=put.tmp of="$file" bs=4k count=1 conv=notrunc status=none 2>/dev/null
	is $? 1 "a write is refused"
	fallocate --punch-hole --offset 0 --length 65536 "$file" 2>/dev/null
	is $? 1 "a punch is refused"
	fallocate --zero-range --keep-size --offset 0 --length 65536 "$file" 2>/dev/null
	is $? 1 "a zero range is refused"
	truncate -s 1m "$file" 2>/dev/null
	is $? 1 "a truncation is refused"
	is "$(get "$file" 0 500000 | sum)" "$(sum <put.tmp)" "and reads give what they gave before"
	is "$(keys | grep -c mounted)" 0 "it takes no token"
	stop_disk
	ok $? "stop"
	is "$(blocks | while read -r k; do object "$k" | sum; done)" "$before" "the bucket is as it was"
	[ "$store" = dir ] ||
	    is "$(server_log "$mark" | awk '$3 ~ /PUT|DELETE|POST/' | grep -vc probe)" 0 "no request that changes anything"
}

for_each_store read_only
done_testing
