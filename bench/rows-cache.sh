# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034,SC2031
#
# rows-cache.sh -- rows 1 to 6: what never leaves this machine.

# The contenders that hold MIB of data in memory: two block sizes, and the old program.  The caches
# are so large that nothing is ever urgent: above half of it dirty, uploads do not wait.
cached_up() {
	server 0
	null_up null -s $((MIB * MB))
	null_up null-memory -m -s $((MIB * MB))
	disk 1m blockCacheSize=$((MIB * 8))m
	disk 64k blockSize=64k blockCacheSize=$((MIB * 8))m
	fill "${file_of[1m]}" "$MIB"
	fill "${file_of[64k]}" "$MIB"
	flush 1m
	flush 64k
	cached="null null-memory 1m 64k"
	if have_old; then
		old_up old 1M 64G && cached="$cached old"
		fill "${file_of[old]}" "$MIB"
		wait_for 60 old_clean old
	fi
}

# 1  cached 4 KiB random read, depth 1, 16, 32
row_1() {
	local d who
	cached_up
	figure "cached 4 KiB read, depth 1" /s null ">= 0.95"
	figure "cached 4 KiB read, depth 16" /s null ">= 0.90, >= 4x old"
	figure "cached 4 KiB read, depth 32" /s null ">= 0.90"
	for round in $(rounds); do
		for d in 1 16 32; do
			for who in $cached; do
				run "$who" fio_json "${file_of[$who]}" randread 4k $d --randrepeat=0
				rec "cached 4 KiB read, depth $d" "$who" "$(val perSec)"
			done
		done
	done
}

# 2  cached sequential read, 1 MiB
row_2() {
	local d who
	cached_up
	figure "cached 1 MiB sequential read, depth 1" MB/s null ">= 0.90"
	figure "cached 1 MiB sequential read, depth 4" MB/s null ">= 0.90"
	for round in $(rounds); do
		for d in 1 4; do
			for who in $cached; do
				run "$who" fio_json "${file_of[$who]}" read 1m $d
				rec "cached 1 MiB sequential read, depth $d" "$who" "$(val MBps)"
			done
		done
	done
}

# 3  4 KiB random write into cached and into absent blocks, no flush
row_3() {
	local who what at
	cached_up
	# The same with the upload out of the way: what of the difference is the write path itself.
	disk 1m-late blockCacheSize=$((MIB * 8))m blockCacheWriteDelay=1h maxDirtyAge=1h
	fill "${file_of[1m-late]}" "$MIB"
	flush 1m-late
	for what in cached absent; do
		figure "4 KiB write into $what blocks, depth 16" /s null ">= 0.85"
	done
	for round in $(rounds); do
		for who in $cached 1m-late; do
			run "$who" fio_json "${file_of[$who]}" randwrite 4k 16 --randrepeat=0
			rec "4 KiB write into cached blocks, depth 16" "$who" "$(val perSec)"
			settle "$who"
		done
		# A part of the disk that nobody has touched; nullfs knows no parts.
		for who in null 1m 64k 1m-late; do
			case $who in null) at=0 ;; *) at=$((round * MIB)) ;; esac
			run "$who" fio_json "${file_of[$who]}" randwrite 4k 16 --randrepeat=0 --offset=${at}m
			rec "4 KiB write into absent blocks, depth 16" "$who" "$(val perSec)"
			settle "$who"
		done
	done
	for who in 1m 64k 1m-late; do
		use_disk "$who"
		remark "$who: $(counter copies) frozen slots copied, $(counter uploads) uploads," \
		    "$(counter write_misses) of $(counter write_ops) writes asked cachemgr," \
		    "slowed down for $(counter_ms throttled) ms"
	done
}

# Contenders with a file: pass-through, and ours with a cache file on the same file system.
filed_up() {
	server 0
	null_up pass -s $((2 * MIB * MB)) -p "$work/pass.file"
	disk 1m blockCacheFile="$work/cache.1m" blockCacheSize=$((MIB * 3))m
	disk 64k blockSize=64k blockCacheFile="$work/cache.64k" blockCacheSize=$((MIB * 3))m
	disk 1m-late blockCacheFile="$work/cache.late" blockCacheSize=$((MIB * 3))m \
	    blockCacheWriteDelay=1h maxDirtyAge=1h
	filed="pass 1m 64k 1m-late"
}

# 4  sequential write into the cache, 1 MiB
row_4() {
	local who
	filed_up
	figure "1 MiB sequential write, depth 1" MB/s pass ">= 0.95"
	for who in $filed; do fill "${file_of[$who]}" "$MIB"; done
	for who in 1m 64k 1m-late; do flush "$who"; done
	for round in $(rounds); do
		for who in $filed; do
			run "$who" fio_json "${file_of[$who]}" write 1m 1
			rec "1 MiB sequential write, depth 1" "$who" "$(val MBps)"
			settle "$who"
		done
	done
}

# 5  4 KiB write and fsync, p50 and p99
row_5() {
	local who
	filed_up
	figure "4 KiB write + fsync, p50" us pass "<= 1.2"
	figure "4 KiB write + fsync, p99" us pass "<= 1.5"
	for who in $filed; do fill "${file_of[$who]}" 64; done
	for who in 1m 64k 1m-late; do flush "$who"; done
	for round in $(rounds); do
		for who in $filed; do
			run "$who" iolat -w -s -T "$SECS" -n 16384 "${file_of[$who]}"
			rec "4 KiB write + fsync, p50" "$who" "$(val p50us)"
			rec "4 KiB write + fsync, p99" "$who" "$(val p99us)"
			settle "$who"
		done
	done
}

# 6  16 threads write and fsync
row_6() {
	local who
	filed_up
	figure "4 KiB write + fsync, 16 threads" /s pass ">= 1.0"
	for who in $filed; do fill "${file_of[$who]}" 64; done
	for who in 1m 64k 1m-late; do flush "$who"; done
	for round in $(rounds); do
		for who in $filed; do
			run "$who" iolat -w -s -t 16 -T "$SECS" -n 16384 "${file_of[$who]}"
			rec "4 KiB write + fsync, 16 threads" "$who" "$(val perSec)"
			settle "$who"
		done
	done
}
