#!/bin/bash
# SPDX-License-Identifier: ISC
#
# resize of a disk that does not run: what the bucket records changes with the headers of block 0, and
# nothing that holds data is ever cut off without being told to.

LIMIT=90
. "$(dirname "$0")/lib.sh"

refused() { # refused REGEX sentence COMMAND...
	local regex=$1 sentence=$2 out status
	shift 2
	out=$(ctl "$@" 2>&1)
	status=$?
	is $status 1 "$sentence: exit 1"
	has "$out" "$regex" "$sentence: says why"
}
size() { ctl --json info | jq .size; }

resizing() {
	write_conf "r$store" size=16m blockSize=64k prefix=r encrypt=yes password=geheim \
	    blockCacheFile="$work/cache.$store" blockCacheSize=32
	must_start
	put "$file" 0 200000 begin
	put "$file" $((12 << 20)) 300000 end
	cp "$file" before
	stop_disk
	refused 'not a multiple of the block size' "$store: half a block" resize 1000000
	refused 'is not a size' "$store: nonsense" resize big
	has "$(ctl resize 16m)" 'this size already' "$store: the same size is no error"

	# The configuration names the old size: that is not in the way, but said.
	has "$(ctl resize 32m)" '32.0 MiB, was 16.0 MiB' "$store: grown"
	is "$(size)" $((32 << 20)) "$store: the bucket says so"
	has "$(s3backerd -c "$conf" start 2>&1)" 'size = 16m, but the bucket holds.*32m' \
	    "$store: a configuration with the old size is refused"
	sed -i '/^size/d' "$conf"
	must_start
	is "$(stat -c %s "$file")" $((32 << 20)) "$store: the file is as large"
	cmp -n $((16 << 20)) before "$file"
	ok $? "$store: with what it held"
	put "$file" $(((32 << 20) - 5000)) 5000 new
	stop_disk
	must_start
	is "$(get "$file" $(((32 << 20) - 5000)) 5000 | sum)" "$(sum <put.tmp)" \
	    "$store: and takes data behind the old end"
	stop_disk

	refused '6 blocks behind the new end hold data, the last one at 31.9 MiB.*blkdiscard --offset 12582912.*--force' \
	    "$store: shrinking over data" resize 12m
	is "$(size)" $((32 << 20)) "$store: nothing has changed"
	must_start
	blkdiscard() { fallocate -p -o $1 -l $2 "$file"; }
	blkdiscard $((20 << 20)) $((12 << 20))
	cp "$file" before
	stop_disk
	has "$(ctl resize 20m)" '20.0 MiB, was 32.0 MiB' "$store: what is trimmed can go"
	must_start
	is "$(stat -c %s "$file")" $((20 << 20)) "$store: shrunk"
	cmp -n $((20 << 20)) before "$file"
	ok $? "$store: with all that lies before the end"
	refused 'running|larger|grow' "$store: a running disk does not shrink" resize 8m
	stop_disk
	is "$(ctl resize --force 8m >/dev/null 2>&1; blocks r | wc -l)" 4 \
	    "$store: --force deletes what lies behind"
	is "$(keys r | grep -c mounted)" 0 "$store: no token is left"
}
for store in s3 dir; do
	store $store
	resizing
done

# No first block, no record.
write_conf zero size=1m blockSize=64k prefix=zero/
must_start
put "$file" 65536 10 x
stop_disk
has "$(ctl resize 2m)" "set size = 2097152 in $conf" "a disk whose first block is zeros: what to do"
done_testing
