#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Everything that can keep a disk from starting: one clear line, exit 1, and nothing left mounted
# or running.

LIMIT=150 NEEDS="fuse unshare"
. "$(dirname "$0")/lib.sh"

fails() { # fails REGEX sentence COMMAND...
	local regex=$1 what=$2 out status start
	shift 2
	start=$(now_ms)
	out=$(timeout 60 "$@" 2>&1)
	status=$?
	is "$status $(grep -c . <<<"$out")" "1 1" "$what: one line, exit 1 ($(($(now_ms) - start)) ms)" ||
	    note "$out"
	has "$out" "$regex" "${what}: says so"
	nothing_left "$what: nothing is left"
}

store s3
write_conf bucket=nobucket
fails 'nobucket.*(does not exist|no such bucket|NoSuchBucket)|bucket.*nobucket' "no bucket" s3backerd -c "$conf" start
write_conf accessId=AKIDNOBODY
fails 'AKIDNOBODY|InvalidAccessKeyId|access key' "an unknown key" s3backerd -c "$conf" start
write_conf accessKey=wrong
fails 'SignatureDoesNotMatch|secret|signature' "a wrong secret" s3backerd -c "$conf" start
! grep -q "$SECRET" "$run/log" 2>/dev/null
ok $? "the key is in no log"
write_conf baseURL=http://127.0.0.1:1/ maxRetryPause=1s
fails '127.0.0.1:1|refused|connect' "nobody listens" s3backerd -c "$conf" start
write_conf baseURL=http://no-such-host.invalid/ maxRetryPause=1s
fails 'no-such-host.invalid|resolve' "no such host" s3backerd -c "$conf" start
write_conf region=eu-central-1 no-vhost=yes
start_disk
ok $? "the wrong region is no failure: the store says which it is" || disk_log
stop_disk
write_conf mountPoint="$work/none"
fails "$work/none does not exist" "no mount point" s3backerd -c "$conf" start
: >plain
write_conf mountPoint="$work/plain"
fails 'not a directory' "a mount point that is a file" s3backerd -c "$conf" start
write_conf blockCacheFile="$work/nodir/cache"
fails "$work/nodir" "no directory for the cache file" s3backerd -c "$conf" start
write_conf user=no-such-user
fails 'no-such-user' "a user that does not exist" s3backerd -c "$conf" start
write_conf size=
fails 'size' "an empty bucket and no size" s3backerd -c "$conf" start
write_conf bucket=file://$work/nobucket baseURL= accessId= accessKey=
fails "$work/nobucket" "a directory store that is not there" s3backerd -c "$conf" start

# The cache file of another disk.
write_conf one prefix=one- blockCacheFile="$work/cache" blockCacheSize=16m
must_start
put "$file" 0 100000 x
stop_disk
cp cache cache.before
write_conf two prefix=two- blockCacheFile="$work/cache" blockCacheSize=16m
fails "$work/cache.*(another disk|belongs|one-)" "the cache file of another disk" s3backerd -c "$conf" start
cmp -s cache cache.before
ok $? "and it is as it was"
is "$(keys two- | wc -l)" 0 "and the bucket has no token of it"
head -c 2000000 /dev/urandom >noise
write_conf three prefix=three- blockCacheFile="$work/noise" blockCacheSize=16m
cp noise noise.before
fails "$work/noise" "a file that is no cache file" s3backerd -c "$conf" start
cmp -s noise noise.before
ok $? "and it is as it was"

# Somebody else is there already.
write_conf busy prefix=busy-
must_start
first=$(disk_pid)
out=$(s3backerd -c "$conf" start 2>&1)
is "$? $(wc -l <<<"$out")" "1 1" "already running: one line, exit 1"
has "$out" "already running.*$first" "and it names the pid"
is "$(disk_pid) $(status state)" "$first running" "the disk goes on"
old=$mnt
write_conf second prefix=second- mountPoint="$old"
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "another disk on the same mount point: exit 1"
has "$out" 'in use|mounted' "and it says why"
use_disk busy
stop_disk
ok $? "the first was not hurt"

# No /dev/fuse: in a mount namespace with a /dev that has next to nothing.
write_conf nodev prefix=nodev-
cat >nodev.sh <<END
mkdir dev && mount -t tmpfs tmpfs dev && mknod dev/null c 1 3 && mknod dev/zero c 1 5 &&
    mknod dev/urandom c 1 9 && chmod 666 dev/* && mount --bind dev /dev || exit 99
s3backerd -c "$conf" start
END
fails '/dev/fuse' "no /dev/fuse" unshare --mount --propagation private sh nodev.sh
is "$(keys nodev-)" "" "no token of it either"
done_testing
