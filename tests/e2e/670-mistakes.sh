#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Mistakes that users make, and what they are told: where it is wrong and what would be right.  (Missing
# buckets, wrong keys, mount points and the cache file of another disk are in 045; who keeps a mount or
# a loop device busy in 046 and 650.)

LIMIT=120
. "$(dirname "$0")/lib.sh"

start_fails() { # start_fails REGEX sentence
	local out status
	out=$(timeout 60 s3backerd -c "$conf" start 2>&1)
	status=$?
	is $status 1 "$2: exit 1"
	has "$out" "$1" "$2: what is wrong, and what would be right"
	nothing_left "$2: nothing is left"
}

# ---- the store -----------------------------------------------------------------------------------
store s3
write_conf data prefix=data/
must_start
put "$file" 0 100000 x
stop_disk
fault 'write:403=AccessDenied'
start_fails 'cannot write the mount token: .*403 AccessDenied.*readOnly = yes' "a key that may only read"
sed -i '$a readOnly = yes' "$conf"
must_start
is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "with readOnly = yes it reads"
stop_disk
no_fault

fault 'any:skew=3600s'
write_conf clock prefix=clock/
must_start
put "$file" 0 100000 x
stop_disk
ok $? "a clock that is off by an hour: the store's time is taken"
has "$(cat "$run/log")" "clock differs from ours.*offset_s=3[56][0-9][0-9]" "and the log says by how much"
no_fault

server_port=$port
stop_server
start_server --region eu-central-1
write_conf region prefix=region/ region=us-east-1
must_start
ok $? "the wrong region: the right one is taken"
stop_disk
has "$(cat "$run/log")" 'set region = eu-central-1' "and named, with what to set"

# ---- the cache file ------------------------------------------------------------------------------
mkdir small
mount -t tmpfs -o size=4m none small
on_exit umount -l "$work/small"
write_conf space prefix=space/ region=eu-central-1 blockCacheFile="$work/small/cache" blockCacheSize=64m
start_fails "cannot allocate .*small/cache: No space left.*blockCacheSize lower, or make room" \
    "no space for the cache file"
is "$(keys space/ | grep -c mounted)" 0 "and no token"
umount small

write_conf one prefix=one/ region=eu-central-1 blockCacheFile="$work/cache" blockCacheSize=64
must_start
write_conf two prefix=two/ region=eu-central-1 blockCacheFile="$work/cache" blockCacheSize=64
start_fails "$work/cache: cache file is in use by another running disk \(give each disk" \
    "two disks, one cache file"
use_disk one
put "$file" 0 100000 one
ok $? "the first is not disturbed"

# ---- down with changes that the bucket lacks -------------------------------------------------------
fault 'put:503:key=one/0*'
put "$file" 0 3000000 more
kill -TERM "$(disk_pid)"
is_stopping() { [ "$(status state)" = stopping ] && ! is_mounted; }
wait_for 20 is_stopping
ok $? "SIGTERM: it goes on until the bucket has everything"
has "$(s3backerd -c "$conf" status)" 'stopping: .* MiB not in the bucket yet' "and says how much is missing"
out=$(s3backerd -c "$conf" stop --keep-dirty)
is $? 0 "who cannot wait: stop --keep-dirty ends it at once"
has "$out" 'stopped; .* of changes stay in the cache file for the next start' "and says where they are"
no_fault
fault 'put:503:key=one/0*'
out=$(s3backerd -c "$conf" start 2>&1)
is $? 0 "the next start" || disk_log
has "$out" '2.9 MiB that the last run left in the cache file are being uploaded' "says what is left"

# As the end of a shutdown is for who has not finished: killed.
kill -TERM "$(disk_pid)"
wait_for 20 is_stopping
kill_disk
out=$(s3backerd -c "$conf" start 2>&1)
is $? 0 "a machine that did not wait: the next start" || disk_log
has "$out" '2.9 MiB that the last run left' "says what is left"
no_fault
wait_for 60 is_clean
is "$(get "$file" 0 3000000 | sum)" "$(sum <put.tmp)" "nothing is lost"
stop_disk
ok $? "stop"

# In memory alone: there is nothing to come back to, so that is said while it can be helped.
write_conf memory prefix=memory/ region=eu-central-1
must_start
fault 'put:503:key=memory/0*'
put "$file" 0 300000 mem
out=$(s3backerd -c "$conf" stop --keep-dirty 2>&1)
is $? 1 "a cache in memory: changes can be kept nowhere"
has "$out" 'blockCacheFile, or stop without it' "and what would be right"
no_fault
stop_disk
nothing_left "nothing is left"
done_testing
