#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Random reads, writes and trims of random length against a model file, from several threads that
# work in the same blocks; then the whole disk once more after stop, empty cache, start.

LIMIT=240
. "$(dirname "$0")/lib.sh"
SEED=${SEED:-$(date +%s)}

model() { rm -f model && truncate -s "$(stat -c %s "$file")" model; }
blockio_ok() { # blockio_ok sentence ARGS...
	local what=$1
	shift
	quietly blockio "$@" -d "$file" -m model -s "$SEED"
	ok $? "$what" || note "seed $SEED"
}

random_io() {
	local name=$1
	shift
	write_conf "$name" bucket="${store_bucket[$store]}/$name" "$@"
	[ "$store" = s3 ] || mkdir -p "$work/bucket/$name"
	must_start
	model
	blockio_ok "$name: bytes of any length, page cache" run -n 1500 -t 6
	blockio_ok "$name: verify, warm" verify
	stop_disk && empty_cache && start_disk
	ok $? "$name: stop, empty cache, start" || disk_log
	blockio_ok "$name: verify, cold" verify
	blockio_ok "$name: sectors, O_DIRECT" run -n 1500 -t 6 -D
	blockio_ok "$name: long operations, O_DIRECT" run -n 60 -t 3 -D -l 4m -S 5m
	blockio_ok "$name: verify, O_DIRECT" verify -D
	stop_disk && empty_cache && start_disk
	ok $? "$name: stop, empty cache, start" || disk_log
	blockio_ok "$name: verify, cold, O_DIRECT" verify -D -l 1m
	stop_disk
	ok $? "$name: stop"
	nothing_left "$name: nothing is left"
}

note "seed $SEED"
declare -A store_bucket=([s3]=bkt [dir]=file://$work/bucket)
store s3
random_io memory size=24m
random_io small size=24m blockSize=4k blockCacheFile=$work/cache.small
random_io large size=64m blockSize=1m blockCacheFile=$work/cache.large
random_io hashed size=24m blockHashPrefix=yes listBlocks=yes
store dir
random_io directory size=24m blockCacheFile=$work/cache.directory
done_testing
