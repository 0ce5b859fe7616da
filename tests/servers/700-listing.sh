#!/bin/bash
# SPDX-License-Identifier: ISC
#
# More than ten pages of a listing, made by somebody else's server: every block is found, and found
# again under hashed names; and trimming them all leaves none, by bulk deletes.

LIMIT=400
. "$(dirname "$0")/../e2e/lib.sh"

BLOCKS=10500
store s3

listed() { # listed NAME KEY=VALUE...
	local name=$1 out
	shift
	write_conf "$name" bucket="bkt/$name" size=64m blockSize=4k blockCacheSize=$((BLOCKS + 2000)) "$@"
	must_start
	random_file all $((BLOCKS * 4096)) "$name"
	dd if=all of="$file" bs=1M conv=notrunc status=none
	quietly ctl --timeout 300s flush
	ok $? "$name: $BLOCKS blocks are in the bucket" || disk_log
	# The object of block 0 is one of them.
	is "$(blocks "$name" | wc -l)" $BLOCKS "$name: as many objects"
	restart_cold
	wait_for 60 surveyed
	ok $? "$name: the survey is complete" || disk_log
	has "$(grep 'survey of the bucket is complete' "$run/log" | tail -n 1)" "blocks=$BLOCKS\$" "$name: and has seen each"
	head -c $((BLOCKS * 4096)) "$file" | cmp - all
	ok $? "$name: every byte"
	is "$(tail -c +$((BLOCKS * 4096 + 1)) "$file" | tr -d '\0' | wc -c)" 0 "$name: zeros behind them"
	fallocate --punch-hole --offset 4096 --length $(((BLOCKS - 1) * 4096)) "$file"
	quietly ctl --timeout 300s flush
	ok $? "$name: all but block 0 trimmed" || disk_log
	le "$(status transfers.delete.ok)" $((BLOCKS / 1000 + 40)) "$name: by bulk deletes"
	stop_disk
	is "$(blocks "$name" | wc -l)" 1 "$name: and gone"
}
surveyed() { [ "$(grep -c 'survey of the bucket is complete' "$run/log")" = 2 ]; }

listed plain
listed hashed blockHashPrefix=yes
done_testing
