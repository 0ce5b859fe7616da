#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Trims really zero, and blocks of zeros have no object.

LIMIT=90
. "$(dirname "$0")/lib.sh"

zeros() { get "$file" "$1" "$2" | tr -d '\0' | wc -c; }
bucket_blocks() { blocks | tr '\n' ' '; }
uploaded() { quietly ctl flush; }

trims() {
	write_conf blockCacheFile="$work/cache.$store"
	must_start
	put "$file" 0 655360 data
	uploaded
	ok $? "flush"
	is "$(bucket_blocks)" "$(printf '%08x ' 0 1 2 3 4 5 6 7 8 9)" "ten blocks in the bucket"
	fallocate --punch-hole --offset 65536 --length 131072 "$file"
	ok $? "punch two blocks"
	is "$(zeros 65536 131072)" 0 "they read as zeros"
	fallocate --zero-range --keep-size --offset 300000 --length 100000 "$file"
	ok $? "zero range of parts of blocks"
	is "$(zeros 300000 100000)" 0 "it reads as zeros"
	cmp -s <(get "$file" 200000 100000) <(get put.tmp 200000 100000)
	ok $? "what is before it is as it was"
	cmp -s <(get "$file" 400000 100000) <(get put.tmp 400000 100000)
	ok $? "and what is behind it"
	uploaded
	is "$(bucket_blocks)" "$(printf '%08x ' 0 3 4 6 7 8 9)" \
	    "whole blocks of zeros have no object (1, 2 punched, 5 zeroed in full)"
	head -c 65536 /dev/zero | dd of="$file" bs=64k seek=7 conv=notrunc status=none
	uploaded
	is "$(bucket_blocks)" "$(printf '%08x ' 0 3 4 6 8 9)" "written zeros have none either"
	put "$file" $((20 * 65536)) 100 y
	head -c 100 /dev/zero | dd of="$file" bs=100 seek=$((20 * 65536)) oflag=seek_bytes conv=notrunc status=none
	uploaded
	is "$(bucket_blocks)" "$(printf '%08x ' 0 3 4 6 8 9)" "a part that makes a block zero: none"
	put "$file" 65536 4096 z
	uploaded
	is "$(bucket_blocks)" "$(printf '%08x ' 0 1 3 4 6 8 9)" "a write into a trimmed block brings it back"
	local before
	before=$(sum <"$file")
	restart_cold
	is "$(sum <"$file")" "$before" "the same disk with a cold cache"
	is "$(zeros 69632 61440)" 0 "the rest of the block that was trimmed before is zero"
	fallocate --punch-hole --offset 0 --length $((64 << 20)) "$file"
	ok $? "punch the whole disk"
	is "$(zeros 0 $((64 << 20)))" 0 "all zeros"
	stop_disk
	is "$(keys)" "" "and the bucket is empty"
}

# Trims of many blocks cost few requests where the store can delete in bulk.
few_requests() {
	store s3
	write_conf size=64m blockSize=64k blockCacheFile="$work/cache.few"
	must_start
	put "$file" 0 $((32 << 20)) many
	uploaded
	is "$(blocks | wc -l)" 512 "512 blocks"
	server_reset
	fallocate --punch-hole --offset 0 --length $((64 << 20)) "$file"
	uploaded
	is "$(blocks | wc -l)" 0 "gone after one trim"
	le "$(($(server_stats delete) + $(server_stats bulk_delete)))" 64 "with few requests"
	stop_disk
}

for_each_store trims
few_requests
done_testing
