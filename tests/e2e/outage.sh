# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# outage.sh -- a disk with a cache, what of it is cached and what not, and what must go on while the
# store is away; sourced by tests.

server_port=
objects=$work/objects
store() { :; }
start_server --dir "$objects"
server_port=$port store=s3
write_conf size=64m initialRetryPause=50ms maxRetryPause=0 timeout=2s readAhead=0 \
    blockCacheFile="$work/cache" blockCacheSize=48m uploaders=2
must_start
put "$file" 0 $((16 << 20)) old
cp put.tmp old
quietly ctl flush
stop_disk && empty_cache && must_start
quietly cmp <(get "$file" 0 $((1 << 20))) <(get old 0 $((1 << 20)))
ok $? "a part of it is cached"

reader=
# A read of a block that is not cached, which nothing but the store can answer.
read_uncached() { # read_uncached BLOCK
	(get "$file" $(($1 * 65536)) 65536 | cmp - <(get old $(($1 * 65536)) 65536) &&
	    now_ms >"$work/answered") &
	reader=$!
	rm -f "$work/answered"
}
during() { # during NAME BLOCK: while the store is away
	read_uncached "$2"
	timeout 10 dd if=/dev/urandom of=put.tmp bs=64k count=32 status=none
	timeout 10 dd if=put.tmp of="$file" bs=64k seek="$2" seek=$(((20 << 20) / 65536 + $2)) conv=notrunc status=none
	ok $? "$1: writes go on"
	quietly timeout 10 cmp <(get "$file" $(((20 << 20) + $2 * 65536)) $((2 << 20))) put.tmp
	ok $? "$1: and are read"
	quietly timeout 10 cmp <(get "$file" 0 $((1 << 20))) <(get old 0 $((1 << 20)))
	ok $? "$1: what is cached is read"
	timeout 10 sync "$file"
	ok $? "$1: fsync returns"
}
healed() { # healed NAME BLOCK: the store is back since $back
	wait_for 20 test -s "$work/answered" && wait "$reader"
	ok $? "$1: the read of an uncached block is answered, and right" || disk_log
	le $(($(cat "$work/answered") - back)) 15000 "$1: soon after the store is back, ms"
	wait_for 10 is_clean
	ok $? "$1: everything is uploaded" || disk_log
	le $(($(now_ms) - back)) 15000 "$1: soon as well, ms"
	cmp -s <(adm "$admin/object/bkt/$(printf %08x $((320 + $2)))") <(head -c 65536 put.tmp)
	ok $? "$1: and right"
}
waits() { # waits NAME: it has not been answered, and will be
	[ ! -s "$work/answered" ] && kill -0 "$reader"
	ok $? "$1: the read of an uncached block waits"
}
