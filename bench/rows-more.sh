# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034,SC2031
#
# rows-more.sh -- rows 12 to 16, 18, 20: requests, starts, memory.

all_requests() { adm "$admin/log?since=$mark" | grep -vc 's3backer-mounted'; } # without the token's

# What was asked for, by kind, from lines of the server's log.
kinds() {
	awk '{ k = $9; if (k ~ /mounted/) k = "token"; else if (k ~ /[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/) k = "block"; else k = "listing"
	    n[$3 " " k]++ } END { for (k in n) printf "%s%d %s", sep++ ? ", " : "", n[k], k }'
}

# 12  mkfs.ext4 of an empty 1 TiB disk, fstrim of it, trim of many blocks
row_12() {
	local ms=20 limit
	server 0
	figure "DELETEs of mkfs.ext4 of 1 TiB, mount, fstrim" requests limit "0"
	figure "trim of $BLOCKS blocks, $ms ms" s limit "<= 1.5"
	raw -c 64 -j 2 -s 4096 -n "$BLOCKS" -f 1 -p t- put "$url/bkt" >/dev/null
	disk t blockSize=4k size=$((BLOCKS / 256 + 8))m
	disk big size=1t blockCacheSize=1g
	round=1
	mark=$(server_mark)
	loop_up "$file" && mkfs.ext4 -q -E nodiscard,lazy_itable_init=1 "$loop" &&
	    mount_fs "$loop" "$work/ext4" && fstrim "$work/ext4"
	umount "$work/ext4" && losetup -d "$loop"
	flush big
	rec "DELETEs of mkfs.ext4 of 1 TiB, mount, fstrim" limit 0 ""
	rec "DELETEs of mkfs.ext4 of 1 TiB, mount, fstrim" 1m "$(block_requests DELETE)" ""
	remark "and $(block_requests PUT) PUTs (a block of zeroes would be a DELETE), $(block_requests GET) GETs, $(($(counter read_bytes) / MB)) MiB read, $(($(counter write_bytes) / MB)) MiB written"
	stop_disk
	use_disk t
	latency $ms
	limit=$(awk "BEGIN { print $BLOCKS / 1000 * $ms / 1000 }")
	run t took trim_all
	rec "trim of $BLOCKS blocks, $ms ms" limit "$limit" ""
	rec "trim of $BLOCKS blocks, $ms ms" 4k "$(val seconds)"
}
trim_all() { fallocate -p -o 4096 -l $((BLOCKS * 4096)) "${file_of[t]}" && flush t; }

first_byte() { # start, and the first read
	start_disk && dd if="$file" of=/dev/null bs=4096 count=1 skip=$((5 * MB / 4096)) iflag=direct status=none
}

# 13  first byte after a cold start; with many existing blocks
row_13() {
	local ms=100 n
	local -A asked=()
	server 0
	raw -c 64 -j 2 -s 4096 -n "$BLOCKS" -p m- put "$url/bkt" >/dev/null
	raw -c 8 -s $MB -n 8 -p few- put "$url/bkt" >/dev/null
	disk few
	stop_disk
	disk m blockSize=4k size=64g listBlocks=yes
	stop_disk
	latency $ms
	figure "first byte after a cold start, $ms ms" s minimum "<= 1.3"
	for round in $(rounds); do
		for who in few m; do
			use_disk $who
			mark=$(server_mark)
			J=$(took first_byte)
			rec "first byte after a cold start, $ms ms" minimum "$(awk "BEGIN { print 3 * $ms / 1000 }")" ""
			rec "first byte after a cold start, $ms ms" "$([ $who = few ] && echo '8 blocks' || echo "$BLOCKS blocks, listing")" "$(val seconds)" ""
			stop_disk
			asked[$who]=$(server_log "$mark" | kinds)
			[ -z "${BENCH_VERBOSE:-}" ] || server_log "$mark" >&2
		done
	done
	remark "minimum: three round trips, each of which needs the one before: GET of the token and of block 0, PUT of the token, GET of the block"
	remark "requests of the last start and stop: ${asked[few]}; with $BLOCKS blocks: ${asked[m]}"
}

# 14  warm restart with many cached blocks; and 16, memory per cached block
row_14() {
	server 0
	figure "warm restart with $BLOCKS cached blocks" s limit "<= 1 s"
	figure "requests of that start" requests limit "<= 5"
	raw -c 64 -j 2 -s 4096 -n "$BLOCKS" -p w- put "$url/bkt" >/dev/null
	disk w blockSize=4k size=1g blockCacheFile="$work/cache.w" blockCacheSize=$((BLOCKS + 1000))
	read_all "$file" $((BLOCKS / 256 + 1)) 0 iflag=direct
	remark "$(status cache.used) blocks cached"
	for round in $(rounds); do
		stop_disk
		mark=$(server_mark)
		J=$(took first_byte)
		rec "warm restart with $BLOCKS cached blocks" limit 1 ""
		rec "warm restart with $BLOCKS cached blocks" 4k "$(val seconds)" ""
		rec "requests of that start" limit 5 ""
		rec "requests of that start" 4k "$(server_log "$mark" | wc -l)" ""
	done
	remark "requests of the last start: $(server_log "$mark" | kinds)"
}

# Memory of the disk in KiB, without the cache itself and what programs share with others.
memory_kb() {
	local p
	for p in $(disk_pids); do
		awk '/^[0-9a-f]+-[0-9a-f]+ / { cache = $0 ~ /s3backer-cache|cache\./ }
		    /^Pss:/ && !cache { s += $2 } END { print s + 0 }' "/proc/$p/smaps"
	done | awk '{ s += $1 } END { print s }'
}

# What of it may depend on the slots: the shared segment, and what cachemgr has allocated.  Buffers of
# transfers are some MiB in one run and some more in the next, and pages of libraries some dozen KiB.
slots_kb() {
	local p
	for p in $(disk_pids); do
		awk -v all=$([ "$p" != "$(role_pid cachemgr)" ]; echo $?) '
		    /^[0-9a-f]+-[0-9a-f]+ / { count = all && (NF < 6 || $6 == "[heap]") || $0 ~ /memfd:s3backer \(/ }
		    /^Pss:/ && count { s += $2 } END { print s + 0 }' "/proc/$p/smaps"
	done | awk '{ s += $1 } END { print s }'
}

uploaders_kb() {
	local i
	for i in 0 1; do cat "/proc/$(role_pid uploader.$i)/smaps_rollup"; done | awk '/^Pss_Anon:/ { s += $2 } END { print s }'
}

# The shared segment, whether touched or not.
segment_kb() {
	local range
	range=$(awk '/memfd:s3backer \(/ { print $1; exit }' "/proc/$(role_pid cachemgr)/maps")
	echo $(((16#${range#*-} - 16#${range%-*}) / 1024))
}

# Much of it is taken and written at the start, and rings are as they are used; so two disks are compared
# that read the same, each with a full cache.
memory_per_cached() { # memory_per_cached NAME BLOCK_SIZE FEW MANY
	local slots a b= was used=
	raw -c 64 -j 2 -s "$2" -n "$4" -f 1 -p "m$1-" put "$url/bkt" >/dev/null
	for slots in "$3" "$4"; do
		disk "m$1" blockSize="$2" size=$(($4 * 2 * $2)) blockCacheSize="$slots"
		read_all "$file" $(($4 * $2 / MB)) 0 iflag=direct
		was=${used:-0} used=$(status cache.used)
		a=${b:-0} b=$(slots_kb)
		remark "$1: $used of $slots slots in use: $b KiB"
		stop_disk
	done
	rec "memory per cached block" limit 64 ""
	rec "memory per cached block" "$1" $(((b - a) * 1024 / (used - was))) ""
}

# 16  memory: per cached block, per block of the disk
row_16() {
	local a b inflight
	server 0
	round=1
	figure "memory per cached block" bytes limit "<= 64"
	figure "memory per block of the disk" bits limit "<= 2"
	memory_per_cached 4k 4096 2000 "$BLOCKS"
	memory_per_cached 1m $MB $MIB $((MIB * 5))
	# All that may be in flight hangs: what the uploaders have then, and had before.
	figure "memory per transfer, besides the body" KiB limit "<= 64"
	disk f blockSize=4k size=1g blockCacheSize=4000 timeout=60s
	flush f
	a=$(uploaders_kb)
	fault 'put:stall=30s'
	dd if=/dev/urandom of="$file" bs=64k count=32 oflag=direct conv=notrunc status=none
	wait_for 20 eval '[ "$(status transfers.inFlight)" -ge 500 ]'
	inflight=$(status transfers.inFlight)
	b=$(uploaders_kb)
	no_fault
	rec "memory per transfer, besides the body" limit 64 ""
	rec "memory per transfer, besides the body" 4k $(((b - a) / inflight - 4)) ""
	remark "$inflight PUTs in flight: uploaders $a KiB before, $b KiB"
	stop_disk
	b=
	disk small size=64g blockCacheSize=64m
	a=$(segment_kb)
	stop_disk
	disk large size=32t blockCacheSize=64m
	b=$(segment_kb)
	rec "memory per block of the disk" limit 2 ""
	rec "memory per block of the disk" 1m "$(awk "BEGIN { print ($b - $a) * 8192 / (32 * 1048576 - 65536) }")" ""
	remark "shared segment: $a KiB with 65,536 blocks, $b KiB with $((32 * 1048576)) blocks; all memory of the idle processes: $(memory_kb) KiB"
}
# 18  idle mounted ext4
row_18() {
	local idle=${BENCH_IDLE:-60}
	server 0
	round=1
	figure "requests besides the token, ext4 idle for $idle s" requests limit "0"
	disk 1m size=8g
	# Tables that ext4 initialises lazily, for minutes, are data, and no idleness.
	loop_up "$file" && mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$loop" &&
	    mount_fs "$loop" "$work/ext4"
	cp -r /etc/default "$work/ext4/" && sync -f "$work/ext4"
	flush 1m
	mark=$(server_mark)
	local cpu
	cpu=$(cpu_of ${pids_of[1m]})
	timeout "$idle" tail -f /dev/null
	CPU=$(awk "BEGIN { print $(cpu_of ${pids_of[1m]}) - $cpu }")
	rec "requests besides the token, ext4 idle for $idle s" limit 0 ""
	rec "requests besides the token, ext4 idle for $idle s" 1m "$(all_requests)"
	remark "all requests in that time: $(server_log "$mark" | kinds)"
}

# 20  one block rewritten 1,000 times within the delay
row_20() {
	local i
	server 0
	figure "PUTs for one block written 1,000 times" requests limit "<= 2"
	disk 1m
	for round in $(rounds); do
		mark=$(server_mark)
		fio --name=w --filename="$file" --rw=randwrite --bs=4k --size=1m --io_size=4000k --offset=${round}m \
		    --direct=1 --ioengine=psync --randrepeat=0 --norandommap --allow_file_create=0 --output="$work/fio.20"
		flush 1m
		rec "PUTs for one block written 1,000 times" limit 2 ""
		rec "PUTs for one block written 1,000 times" 1m "$(block_requests PUT)" ""
	done
}
