#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The store fails in all the usual ways: nothing of it reaches the user of the disk, as long as it
# ends; and never are wrong bytes returned.

LIMIT=240
. "$(dirname "$0")/lib.sh"

store s3
write_conf size=32m initialRetryPause=20ms maxRetryPause=10s timeout=2s readAhead=0
must_start
put "$file" 0 $((4 << 20)) data
cp put.tmp want
stop_disk

reads_through() { # reads_through RULE: reads are right although this happens
	must_start
	fault "$1"
	quietly cmp <(get "$file" 0 $((4 << 20))) want
	ok $? "read through $1" || disk_log 10
	[ "$(adm "$admin/fault" | grep -c 'fired=0')" = 0 ]
	ok $? "which happened"
	no_fault
	stop_disk
}

writes_through() { # writes_through RULE: it is in the bucket although this happens
	must_start
	fault "$1"
	put "$file" $((8 << 20)) $((2 << 20)) "$1"
	quietly timeout $((60 * slow)) s3backerctl -c "$conf" flush
	ok $? "flush through $1" || disk_log 10
	[ "$(adm "$admin/fault" | grep -c 'fired=0')" = 0 ]
	ok $? "which happened"
	no_fault
	stop_disk
	must_start
	cmp -s <(get "$file" $((8 << 20)) $((2 << 20))) put.tmp
	ok $? "and the bucket is right"
	stop_disk
}

for rule in get:503:every=2:count=20 get:500:rate=0.3 get:429:retry-after=1:count=3 \
    get:reset:every=3 get:reset=body:every=3 get:truncate=1000:every=3 get:short:every=4 \
    get:wronglength=-1:every=4 get:garbage:every=5 get:stall=3s:count=2 get:slow=2M:count=5 \
    any:refuse:count=4; do
	reads_through "$rule"
done
for rule in put:503:every=2:count=20 put:500:rate=0.3 put:200error:every=3 put:reset:every=3 \
    put:reset=body:every=3 put:reset=after:every=3 put:stall=3s:count=2 \
    put:403=RequestTimeTooSkewed:count=2; do
	writes_through "$rule"
done

# A read gives up after maxRetryPause with EIO, and not before.
write_conf size=32m initialRetryPause=20ms maxRetryPause=1s readAhead=0
must_start
fault 'get:503'
start=$(now_ms)
out=$(get "$file" 1048576 65536 2>&1 >/dev/null)
has "$out" 'Input/output error' "a store that stays away: EIO after maxRetryPause"
le 900 $(($(now_ms) - start)) "not before it has waited, ms"
no_fault
quietly cmp <(get "$file" 1048576 65536) <(get want 1048576 65536)
ok $? "and data when the store is back"
stop_disk

# Writes go on while the store is away, as long as the cache has room; nothing is lost.
write_conf size=32m initialRetryPause=20ms blockCacheFile="$work/cache"
must_start
fault 'any:503'
put "$file" $((16 << 20)) $((4 << 20)) away
ok $? "writing while the store is away"
is "$(get "$file" $((16 << 20)) $((4 << 20)) | sum)" "$(sum <put.tmp)" "reads back"
sync "$file"
ok $? "fsync returns, too: the cache file holds it"
wait_for 10 state_is degraded
ok $? "status says degraded"
has "$(status why)" '503' "and why"
no_fault
wait_for 30 is_clean
ok $? "when it is back, all is uploaded"
wait_for 10 state_is running
ok $? "and the state is running"
stop_disk
empty_cache
must_start
is "$(get "$file" $((16 << 20)) $((4 << 20)) | sum)" "$(sum <put.tmp)" "from the bucket"
stop_disk
done_testing
