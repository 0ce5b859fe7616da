#!/bin/bash
# SPDX-License-Identifier: ISC
#
# fio, a judge that is not ours: random writes of 512 B to 4 MiB with a checksum in each, against a
# store with 20 ms latency; verified at once, and again after stop, empty cache, start.

LIMIT=240 NEEDS="fuse fio"
. "$(dirname "$0")/lib.sh"

run_fio() { # run_fio sentence FLAGS...
	local what=$1
	shift
	quietly fio --name=disk --filename="$file" --rw=randwrite --bsrange=512-4m --size=256m \
	    --io_size=160m --ioengine=libaio --iodepth=16 --direct=1 --randseed=42 --verify=crc32c \
	    --verify_fatal=1 --verify_state_save=0 --fallocate=none --allow_file_create=0 "$@"
	ok $? "$what" || disk_log
}

verified() {
	write_conf "$1" bucket="bkt/$1" size=256m "${@:2}"
	must_start
	run_fio "$1: write and verify" --do_verify=1
	restart_cold
	ok $? "$1: stop, empty cache, start" || disk_log
	run_fio "$1: verify, cold" --verify_only
	stop_disk
	ok $? "$1: stop"
	nothing_left "$1: nothing is left"
	is "$(server_stats signature_failures)" 0 "$1: no wrong signature"
}

store s3
latency 20
verified small blockSize=64k blockCacheFile="$work/cache.a" blockCacheSize=96m
verified large blockSize=1m blockCacheSize=64m
done_testing
