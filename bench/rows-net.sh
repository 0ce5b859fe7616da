# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034,SC2031
#
# rows-net.sh -- rows 7 to 11: between this machine and the store.

in_bytes() { numfmt --from=iec "${1^^}"; }

# write_until_there WHO MIB AT: a sequential writer, then a flush to the bucket.
write_until_there() {
	fill "${file_of[$1]}" "$2" "$3" && flush "$1"
}
write_old() { # the old program has no flush: unmount, and wait for its end
	fill "${file_of[$1]}" "$2" "$3" && old_down "$1"
}

# 7  sequential write until the bucket has it, 20 and 100 ms
row_7() {
	local ms bs n what who
	server 0
	disk 1m blockCacheSize=$((MIB * 3))m
	disk 64k blockSize=64k blockCacheSize=$((MIB * 3))m
	for ms in 20 100; do
		latency "$ms"
		for bs in 1m 64k; do
			n=$((MIB * MB / $(in_bytes $bs)))
			what="write $MIB MiB until the bucket has it, $bs, $ms ms"
			figure "$what" MB/s raw ">= 0.90$([ $ms$bs = 201m ] && echo ', >= 5x old')"
			raw_best "PUT $bs $ms ms" put "$(in_bytes $bs)" "$n"
			for round in $(rounds); do
				# shellcheck disable=SC2086 # options
				run raw raw ${best[PUT $bs $ms ms]} -s "$(in_bytes $bs)" -n "$n" put "$url/raw"
				rec "$what" raw "$(val MBps)" "$(val cpu)"
				run $bs took write_until_there $bs "$MIB" 0
				rec "$what" $bs "$(mbps "$MIB")"
				if [ $ms$bs = 201m ] && have_old; then
					old_start old 1M 64G
					on_exit umount -l "$work/mnt.old"
					run old took write_old old "$((MIB / 2))" 0
					rec "$what" old "$(mbps $((MIB / 2)))" ""
				fi
			done
		done
	done
	for who in 1m 64k; do
		use_disk $who
		remark "$who: $(counter copies) frozen slots copied, $(counter put_ok) PUTs, mean $(mean_ms put) ms," \
		    "slowed down for $(counter_ms throttled) ms"
	done
}
mbps() { val seconds | awk -v m="$1" '{ printf "%.1f", m * 1.048576 / $1 }'; }
mean_ms() { echo $(($(counter_ms "$1") / ($(counter "$1_ok") + 1))); }

# 8  cold sequential read, one stream, 20 and 100 ms
row_8() {
	local ms bs n what who
	server 0
	for bs in 1m 64k; do
		n=$((MIB * MB / $(in_bytes $bs)))
		raw -c 32 -s "$(in_bytes $bs)" -n "$n" -p $bs- put "$url/bkt" >/dev/null
		raw -c 32 -s "$(in_bytes $bs)" -n "$n" put "$url/raw" >/dev/null
		disk $bs blockSize=$bs blockCacheSize=$((MIB * 3))m
		for ms in 20 100; do
			latency $ms
			what="cold sequential read of $MIB MiB, $bs, $ms ms"
			figure "$what" MB/s raw ">= 0.90$([ $ms$bs = 201m ] && echo ', >= 5x old')"
			raw_best "GET $bs $ms ms" get "$(in_bytes $bs)" "$n"
			for round in $(rounds); do
				# shellcheck disable=SC2086 # options
				run raw raw ${best[GET $bs $ms ms]} -s "$(in_bytes $bs)" -n "$n" get "$url/raw"
				rec "$what" raw "$(val MBps)" "$(val cpu)"
				again $bs
				run $bs took read_all "${file_of[$bs]}" "$MIB"
				rec "$what" $bs "$(mbps "$MIB")"
				again $bs
				run $bs took read_all "${file_of[$bs]}" "$MIB" 0 iflag=direct
				rec "$what" "$bs O_DIRECT" "$(mbps "$MIB")"
				[ $ms$bs = 201m ] && have_old && cold_old
			done
		done
		use_disk $bs
		remark "$bs, last start: $(counter readahead_issued) blocks read ahead, $(counter readahead_used) used," \
		    "$(counter read_misses) reads waited, $(counter get_ok) GETs, mean $(mean_ms get) ms"
		stop_disk
	done
	row_8_capped
}
cold_old() {
	use_disk 1m && stop_disk # two with one mount token: ours would be fenced off
	old_start 1m 1M "$MIB"M # the blocks of the disk 1m: same names
	on_exit umount -l "$work/mnt.1m"
	run 1m took read_all "$work/mnt.1m/file" "$((MIB / 2))"
	rec "$what" old "$(mbps $((MIB / 2)))"
	umount "$work/mnt.1m"
	wait "${pids_of[1m]}"
	use_disk 1m && start_disk && file_of[1m]=$file
}
# Latency must not cost bandwidth: 1 Gbit/s, 20 and 100 ms.
row_8_capped() {
	local ms what="cold sequential read under 1 Gbit/s, 1m"
	figure "$what" MB/s "20 ms" ">= 0.90"
	use_disk 1m && start_disk
	adm -X POST "$admin/bandwidth?up=0&down=125M" >/dev/null
	for round in $(rounds); do
		[ "$round" -le 3 ] || break # 4 s each, and the cap leaves little to vary
		for ms in 20 100; do
			latency $ms
			again 1m
			run 1m took read_all "$file" $((MIB / 2))
			rec "$what" "$ms ms" "$(mbps $((MIB / 2)))"
		done
	done
}

# 9  cold 4 KiB random read, depth 1 and 32, 1 MiB plain blocks
row_9() {
	local d n=2048 what="cold 4 KiB random read, 20 ms" tls=$work/tls/cert.pem
	# Over TLS, where a part of a block needs no checksum (verifyReads).
	server 20 --tls "$work/tls"
	url=https://127.0.0.1:$port
	raw -x "$tls" -c 32 -n $n -p 1m- put "$url/bkt" >/dev/null
	raw -x "$tls" -c 32 -n $n put "$url/raw" >/dev/null
	disk 1m blockCacheSize=4g cacert="$tls"
	figure "$what, depth 1, p50" us raw "<= 1.15"
	figure "$what, depth 32" /s raw ">= 0.90"
	for round in $(rounds); do
		for d in 1 32; do
			run raw raw -x "$tls" -c $d -m "$SECS" -n $n range "$url/raw"
			rec_9 $d raw "$(val cpu)"
			again 1m
			# Each block once: the second read of a block would be a hit.
			run 1m iolat -r -d -1 -t $d -T "$SECS" -S $MB -n $n "${file_of[1m]}"
			rec_9 $d 1m "$CPU"
		done
	done
	use_disk 1m
	remark "1m, last start, TLS: $(counter get_ok) GETs of $(($(counter get_bytes) / MB)) MiB for $(counter read_ops) reads, mean $(mean_ms get) ms"
}
rec_9() { # DEPTH WHO CPU
	case $1 in
	1) rec "$what, depth 1, p50" "$2" "$(val p50us)" "$3" ;;
	32) rec "$what, depth 32" "$2" "$(val perSec)" "$3" ;;
	esac
}

# 10  cached-read p99 and cold-read p99 while a full backlog uploads
#
# The reader, the writer, the store and all of ours have the same few processors.  What that alone costs is shown
# by others who read beside the same writer and the same uploads: `null-memory`, a file system that only has to
# copy, and `raw`, which GETs blocks from the same server, four at a time as our reader does.
row_10() {
	local n=1024 when writer beside
	server 20
	null_up null-memory -m -s $((256 * MB))
	raw -c 32 -n $n -f 4096 -p 1m- put "$url/bkt" >/dev/null
	raw -c 32 -n 128 put "$url/raw" >/dev/null
	disk 1m blockCacheSize=2g
	fill "$file" 256
	figure "cached 4 KiB read p99, backlog uploading" us idle "<= 1.5"
	figure "cold 4 KiB read p99, backlog uploading, 20 ms" us idle "<= 2.0"
	for round in $(rounds); do
		[ "$round" -le 3 ] || break
		for when in idle busy; do
			if [ $when = busy ]; then
				fio --name=w --filename="$file" --rw=write --bs=1m --direct=1 --offset=6g --size=8g \
				    --time_based --runtime=$((SECS * 3 + 10)) --output=/dev/null --allow_file_create=0 &
				writer=$!
				wait_for 20 backlog
			fi
			beside=$([ $when = idle ] || echo ", busy")
			run null-memory iolat -r -d -T "$SECS" -n 65536 "${file_of[null-memory]}"
			rec "cached 4 KiB read p99, backlog uploading" "null-memory$beside" "$(val p99us)"
			run raw raw -c 4 -n 128 get "$url/raw"
			rec "cold 4 KiB read p99, backlog uploading, 20 ms" "raw$beside" "$(val p99us)" "$(val cpu)"
			run 1m iolat -r -d -T "$SECS" -n 65536 "$file"
			rec "cached 4 KiB read p99, backlog uploading" $when "$(val p99us)"
			# Every round and state has blocks of its own to be cold.
			at=$((4096 + (round - 1) * 256 + ($(test $when = busy; echo $?) * 128)))
			run 1m iolat -r -d -1 -t 4 -T "$SECS" -S $MB -n 128 -o $((at * MB)) "$file"
			rec "cold 4 KiB read p99, backlog uploading, 20 ms" $when "$(val p99us)"
		done
		wait "$writer"
		flush 1m
	done
	remark "'busy': a sequential writer with O_DIRECT runs all the time, and takes its share of the processors"
}
backlog() { [ "$(status cache.dirtyBlocks)" -gt 1000 ]; }

# 11  steady state with the cache full: ingest and longest stall
row_11() {
	local what="steady ingest, cache full, 20 ms"
	server 20
	disk 1m blockCacheSize=256m
	figure "$what" MB/s raw ">= 0.90"
	figure "longest write, cache full" s limit "<= 1 s"
	raw_best "PUT 1m 20 ms" put $MB "$MIB"
	fill "$file" 512 # until it is full
	for round in $(rounds); do
		# shellcheck disable=SC2086 # options
		run raw raw ${best[PUT 1m 20 ms]} -n $((MIB * 2)) put "$url/raw"
		rec "$what" raw "$(val MBps)" "$(val cpu)"
		run 1m fio_json "$file" write 1m 4 --size=32g --runtime=$((SECS * 2))
		rec "$what" 1m "$(val MBps)"
		rec "longest write, cache full" limit 1 ""
		rec "longest write, cache full" 1m "$(val maxus | awk '{ print $1 / 1e6 }')" ""
	done
}
