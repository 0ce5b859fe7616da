# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034,SC2031
#
# rows-rest.sh -- rows 15, 17, 19: processors, file systems, a bad network.

per_gib() { awk "BEGIN { printf \"%.3f\", $1 * 1024 / $2 }"; } # per_gib CPU MIB

# 15  CPU seconds per GiB: cached path; upload plain, TLS, zstd, AES
#
# The reference of an upload, `sum`, is what its parts cost where each is done alone, in the same round, on as
# many bytes: nullfs for the writes (its process only, as ours are only ours); rawxfer, which is curl and one
# SHA-256 of a body that stays in the processor's cache (over TLS: and OpenSSL); and bench/libspeed for what
# a block needs besides, on the bytes that are written: a CRC-32; zstd; with encryption AES, the HMAC that
# the format asks for, and a CRC-32 of what is stored, which is not the block any more.  Copies between
# these are in no part of it.
row_15() {
	local what="CPU per GiB" who kind wrote sent lib plain zstd aes
	server 0
	null_up null -s $((MIB * MB))
	null_up null-memory -m -s $((MIB * MB))
	disk plain blockCacheSize=$((MIB * 3))m
	disk zstd blockCacheSize=$((MIB * 3))m compress=zstd
	disk aes blockCacheSize=$((MIB * 3))m compress=zstd encrypt=AES-128-CBC password=bench
	figure "$what, cached 1 MiB reads" s null "<= 1.3"
	figure "$what, upload plain" s sum "<= 1.25"
	figure "$what, upload zstd" s sum "<= 1.25"
	figure "$what, upload zstd and AES" s sum "<= 1.25"
	# The first round of all: what is written for the first time is new memory.
	for who in plain zstd aes; do write_until_there $who "$MIB" 0; done
	for round in $(rounds); do
		for who in null null-memory plain; do
			run $who fio_json "${file_of[$who]}" read 1m 1 --runtime=1
			rec "$what, cached 1 MiB reads" $who "$(per_gib "$CPU" "$(val MBps | awk '{ print $1 / 1.048576 }')")" ""
		done
		parts
		rec "$what, upload plain" sum "$plain" ""
		rec "$what, upload zstd" sum "$zstd" ""
		rec "$what, upload zstd and AES" sum "$aes" ""
		for who in plain zstd aes; do
			run $who took write_until_there $who "$MIB" 0
			case $who in plain) kind=plain ;; zstd) kind=zstd ;; aes) kind="zstd and AES" ;; esac
			rec "$what, upload $kind" $who "$(per_gib "$CPU" "$MIB")" ""
		done
	done
	remark "random bytes, 1 MiB blocks; s/GiB in the last round: null write $wrote, raw (curl and SHA-256) $sent, libraries $lib;" \
	    "sum: null + raw + crc32 (+ zstd (+ aes + hmac + crc32 of what is stored)); not in it: copies between them"
	stop_all plain zstd aes
	stop_server
	row_15_tls
}
parts() { # sets wrote, sent, lib, and the sums: plain, zstd, aes
	# Ticks of the clock are 10 ms, and nullfs needs few of them.
	run null eval 'for i in 1 2 3 4; do fill "${file_of[null]}" "$MIB"; done'
	wrote=$(per_gib "$CPU" $((4 * MIB)))
	# shellcheck disable=SC2046 # options
	run raw raw -c 32 -n "$MIB" $([[ $url != https:* ]] || echo -x "$work/tls/cert.pem") put "$url/raw"
	sent=$(per_gib "$(val cpu)" "$MIB")
	lib=$("$S3B_BIN/libspeed" -n "$MIB" "$work/noise" crc32 zstd aes hmac)
	read -r plain zstd aes < <(jq -r --argjson wrote "$wrote" --argjson sent "$sent" \
	    '($wrote + $sent + .crc32) as $p | "\($p) \($p + .zstd) \($p + .zstd + .aes + .hmac + .crc32)"' <<<"$lib")
}
row_15_tls() {
	local what="CPU per GiB, upload with TLS" wrote sent lib plain zstd aes
	server 0 --tls "$work/tls"
	url=https://127.0.0.1:$port
	figure "$what" s sum "<= 1.25"
	disk tls blockCacheSize=$((MIB * 3))m cacert="$work/tls/cert.pem"
	write_until_there tls "$MIB" 0
	for round in $(rounds); do
		parts
		rec "$what" sum "$plain" ""
		run tls took write_until_there tls "$MIB" 0
		rec "$what" tls "$(per_gib "$CPU" "$MIB")" ""
	done
	remark "TLS: null write $wrote, raw with TLS $sent in the last round"
}
stop_all() {
	local d
	for d; do use_disk "$d" && stop_disk; done
}

# 17  ext4 on the loop device: untar, rm, sqlite with fsync, fio mixed
#
# With the loop device of our recipes (s3backer-recipes(7): --direct-io=on --sector-size=4096), for the local
# file as well; and once more through the page cache of the file, which is what mount -o loop makes.  `pass` is the
# pass-through file system on the same disk: what FUSE costs there, whoever answers.
row_17() {
	local who files how
	server 20
	null_up pass -s $((4096 * MB)) -p "$work/pass.file"
	disk 64k blockSize=64k size=4g blockCacheFile="$work/cache.64k" blockCacheSize=3g
	disk 1m size=4g blockCacheFile="$work/cache.1m" blockCacheSize=3g
	truncate -s 4g "$work/local"
	file_of[local]=$work/local
	tar -C /usr -cf "$work/tree.tar" include share/doc 2>/dev/null
	files=$(tar -tf "$work/tree.tar" | wc -l)
	for how in "" ", through the page cache"; do
		figure "ext4 on loop: untar of $files files, and sync$how" files/s local ">= 0.8"
		figure "ext4 on loop: rm -r of them, and sync$how" files/s local ">= 0.8"
		figure "ext4 on loop: sqlite transactions, synchronous=FULL$how" /s local ">= 1.0"
		figure "ext4 on loop: fio 4 KiB 70/30, depth 8, fsync each 16$how" /s local ">= 0.8"
		for who in local pass 1m 64k; do
			case $how in
			"") loop_up "${file_of[$who]}" --direct-io=on --sector-size=4096 ;;
			*) loop_up "${file_of[$who]}" ;;
			esac || return 1
			mkfs.ext4 -q -F -E lazy_itable_init=0,nodiscard "$loop"
			mount_fs "$loop" "$work/fs.$who"
			loop_of[$who]=$loop
		done
		for round in $(rounds); do
			[ "$round" -le 3 ] || break
			for who in local pass 1m 64k; do
				on_ext4 "$who" "$work/fs.$who" "$how"
				settle "$who"
			done
		done
		for who in local pass 1m 64k; do
			umount "$work/fs.$who"
			loop_down "${loop_of[$who]}"
		done
	done
}
on_ext4() { # WHO DIRECTORY HOW
	local d=$2
	run "$1" took sh -c "tar -C $d -xf $work/tree.tar && sync -f $d"
	rec "ext4 on loop: untar of $files files, and sync$3" "$1" "$(rate "$files")"
	run "$1" took sh -c "rm -r $d/include $d/share && sync -f $d"
	rec "ext4 on loop: rm -r of them, and sync$3" "$1" "$(rate "$files")"
	rm -f "$d/db"*
	sqlite3 "$d/db" 'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, b);' >/dev/null
	[ -s "$work/sql" ] || {
		echo 'PRAGMA synchronous=FULL;'
		seq 1000 | awk '{ print "INSERT INTO t(b) VALUES (randomblob(300));" }'
	} >"$work/sql"
	run "$1" took sqlite3 "$d/db" ".read $work/sql"
	rec "ext4 on loop: sqlite transactions, synchronous=FULL$3" "$1" "$(rate 1000)"
	[ -s "$d/fio" ] || fallocate -l 256m "$d/fio"
	run "$1" fio_json "$d/fio" randrw 4k 8 --rwmixread=70 --fsync=16 --size=256m
	rec "ext4 on loop: fio 4 KiB 70/30, depth 8, fsync each 16$3" "$1" "$(val perSec)"
}
rate() { val seconds | awk -v n="$1" '{ printf "%.1f", n / $1 }'; }

# 19  a network that fails: cold reads
row_19() {
	local n=2000 when what="cold 4 KiB read, depth 32, 20 ms, faults"
	server 20
	raw -c 32 -n $n -s 65536 -p 64k- put "$url/bkt" >/dev/null
	disk 64k blockSize=64k blockCacheSize=1g
	figure "$what: p99" us fault-free "<= 3"
	figure "$what: rate" /s fault-free ">= 0.9"
	for round in $(rounds); do
		[ "$round" -le 3 ] || break
		for when in fault-free faults; do
			again 64k
			[ $when = fault-free ] || fault $'get:rate=0.01:stall=5s\nget:rate=0.01:503\nget:rate=0.001:reset'
			run 64k iolat -r -d -1 -t 32 -T 60 -S 65536 -n $n "$file"
			no_fault
			rec "$what: p99" $when "$(val p99us)"
			rec "$what: rate" $when "$(val perSec)"
		done
	done
	use_disk 64k
	remark "$(counter get_retried) GETs sent again in the last round"
}
