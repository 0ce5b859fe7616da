#!/bin/bash
# SPDX-License-Identifier: ISC
#
# scrub finds objects that are damaged, shortened, foreign or gone, whatever hides them; repairs what
# the cache has; leaves the cache alone; and goes on over deaths, restarts and outages.

LIMIT=120 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

key() { printf '%s%08x' "${1:-}" "$2"; }
damage() { # damage BLOCK: it is written, and stored damaged although the store says that it is well
	fault "put:garbage:key=*$(key "" "$1")"
	put "$file" $(($1 << 16)) 65536 "damaged $1"
	ctl flush >/dev/null
	no_fault
}
remove() { adm -X DELETE "$admin/object/bkt/$1" >/dev/null; }
scrub() { out=$(ctl scrub "$@" 2>err); }

# ---- plain objects -----------------------------------------------------------------------------
store s3
write_conf plain prefix=p/ blockCacheFile="$work/cache" blockCacheSize=100 readAhead=0
must_start
put "$file" 0 $((40 << 16)) one
put "$file" $((600 << 16)) $((40 << 16)) two
ctl flush >/dev/null
scrub
is $? 0 "a good disk: exit 0" || note "$out" "$(cat err)"
has "$out" '^1024 of 1024 blocks have been looked at, 80 objects read, .*: all good$' "and what was done"
used=$(status cache.used)
mark=$(server_mark)
scrub
is "$(status cache.used)" "$used" "nothing goes into the cache"
is "$(block_requests GET)" 80 "each object is read once"

remove "$(key p/ 3)"
damage 5
sum1=$(get "$file" 0 $((40 << 16)) | sum)
printf 'short' | adm -X PUT --data-binary @- "$admin/object/bkt/$(key p/ 7)" >/dev/null
scrub
is $? 1 "a bad disk: exit 1"
has "$out" '^block 3: missing$' "one that is gone"
has "$out" '^block 5: damaged$' "one that was changed"
has "$out" '^block 7: damaged$' "one that is too short"
has "$out" '3 bad \(1 missing\), 0 repaired' "and the summary"
has "$out" 'scrub --repair' "with what to do"
is "$(ctl --json scrub 2>/dev/null | jq -r '.blocks | length')" 3 "in JSON"
has "$(grep -c 'scrub: the object of a block' "$run/log")" '[1-9]' "the log has them"
scrub --repair
is $? 0 "--repair: exit 0" || note "$out" "$(cat err)"
has "$out" '^block 3: missing, repaired from the cache$' "the cache had it"
has "$out" '3 bad \(1 missing\), 3 repaired' "all"
scrub
is $? 0 "then all is good"
stop_disk && empty_cache && must_start
is "$(get "$file" 0 $((40 << 16)) | sum)" "$sum1" "and the bytes are the right ones"
stop_disk && empty_cache && must_start
damage 610
stop_disk && empty_cache && must_start
scrub --repair
is $? 1 "without a copy it cannot be repaired"
has "$out" '1 bad \(0 missing\), 0 repaired' "and stays bad"
has "$(ctl status)" 'scrub .*1 bad' "status remembers"
put "$file" $((610 << 16)) 65536 new
scrub
is $? 0 "a block that is dirty is looked at when it has been uploaded" || note "$out"

# ---- deaths, an outage, a restart, and nobody who watches --------------------------------------
remove "$(key p/ 2)"
fault 'get:stall=200ms'
ctl scrub >first.out 2>&1 &
watcher=$!
is_scrubbing() { [ "$(status scrub.running)" = true ] && [ "$(status scrub.doneBlocks)" -gt 0 ]; }
wait_for 20 is_scrubbing
ok $? "one under way"
kill -INT "$watcher" 2>/dev/null
kill "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
kill -9 "$(role_pid cachemgr)" "$(role_pid uploader.0)"
wait_for 30 state_is running
ctl scrub >again.out 2>&1 &
watcher=$!
wait_for 10 is_scrubbing
s3backerd -c "$conf" restart
ok $? "s3backerd restart meanwhile"
no_fault
wait "$watcher"
is $? 1 "who watched over the restart has the result"
has "$(cat again.out)" '^block 2: missing$' "which is complete"
has "$(cat again.out)" '1024 of 1024 blocks' "to the last block"
fault 'get:stall=500ms'
ctl scrub >/dev/null 2>&1 &
watcher=$!
wait_for 10 is_scrubbing
ctl scrub --cancel >cancel.out 2>&1
wait "$watcher"
has "$(cat cancel.out)" '^cancelled; ' "--cancel"
is "$(status scrub.running)" false "ends it"
no_fault
ctl scrub --cancel 2>err
is $? 1 "once more: none is under way"
stop_disk

# ---- fenced ------------------------------------------------------------------------------------
write_conf fenced prefix=f/ blockCacheSize=40 leaseTime=2s
must_start
put "$file" 0 $((10 << 16)) five
ctl flush >/dev/null
printf 'other\n20200101T000000Z\n' | adm -X PUT -H 'x-amz-meta-s3backer-mount-token: 12345678' --data-binary @- \
    "$admin/object/bkt/f/s3backer-mounted" >/dev/null
fault 'put:key=*0000*:503'
put "$file" 0 65536 six
wait_for 20 state_is fenced
ok $? "a disk whose token is another's now"
out=$(ctl scrub 2>&1)
has "$out" '^cancelled; ' "is not scrubbed"
no_fault
stop_disk --keep-dirty || kill_disk

# ---- encrypted, and a store without checksums of its own ---------------------------------------
write_conf crypt prefix=c/ blockCacheSize=20 encrypt=aes-128-cbc password=secret verifyReads=no
must_start
put "$file" 0 $((10 << 16)) three
ctl flush >/dev/null
scrub
is $? 0 "an encrypted disk"
object "$(key c/ 4)" >other
adm -X PUT --data-binary @other "$admin/object/bkt/$(key c/ 6)" >/dev/null
scrub
has "$out" '^block 6: damaged$' "another block's object in its place"
stop_disk
store dir
write_conf dir blockCacheSize=20
must_start
put "$file" 0 $((10 << 16)) four
ctl flush >/dev/null
truncate -s 100 "$work/bucket/$(key "" 4)"
rm "$work/bucket/$(key "" 5)"
scrub --repair
is $? 0 "a directory" || note "$out" "$(cat err)"
has "$out" '2 bad \(1 missing\), 2 repaired' "the same"
is "$(stat -c %s "$work/bucket/$(key "" 4)")" 65536 "repaired"
stop_disk
done_testing
