# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# faults.sh -- one fault of the store after the other while a disk reads and writes; sourced by tests.

store s3
write_conf size=64m initialRetryPause=20ms maxRetryPause=20s timeout=1s readAhead=0 listBlocks=yes \
    blockCacheFile="$work/cache"
must_start
put "$file" 0 $((32 << 20)) before
cp put.tmp before
quietly ctl flush
ok $? "blocks to read"
restart_cold
truncate -s 32m after
at=0

# through RULE...: writes, and reads of what is not cached, while it happens
through() {
	local off=$((at * 393216))
	fault "$(printf '%s\n' "$@")"
	put "$file" $(((32 << 20) + off)) 196608 "$*" &&
	    dd if=put.tmp of=after bs=64k seek=$off oflag=seek_bytes conv=notrunc status=none &&
	    cmp <(get "$file" "$off" 196608) <(get before "$off" 196608) &&
	    quietly timeout $((30 * slow)) s3backerctl -c "$conf" flush
	ok $? "$*" || { server_log | tail -n 30 | sed 's/^/# /' >&2; disk_log 10; }
	has "$(adm "$admin/fault")" 'fired=[1-9]' "... happened"
	no_fault
	at=$((at + 1))
}

at_the_end() {
	restart_cold
	ok $? "with an empty cache" || disk_log
	quietly cmp <(get "$file" 0 $((32 << 20))) before
	ok $? "what was there before"
	quietly cmp <(get "$file" $((32 << 20)) $((at * 393216))) <(head -c $((at * 393216)) after)
	ok $? "and what was written meanwhile"
}
