#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Every failure to start is one clear line and exit 1, with nothing left mounted or running.

LIMIT=240
. "$(dirname "$0")/lib.sh"

# fails REGEX sentence: the disk of $conf does not start, and says so in one line
fails() {
	local out status regex=$1
	shift
	out=$(timeout $((60 * slow)) ${run_as:-} "$S3B_BIN/s3backerd" -c "$conf" start 2>&1 </dev/null)
	status=$?
	is "$status" 1 "$*: exit 1"
	is "$(grep -vc '^s3backerd: new disk' <<<"$out")" 1 "$*: one line" || sed 's/^/# /' <<<"$out"
	has "$out" "$regex" "$*: which says what is wrong"
	nothing_left "$*: nothing is left"
}

# The same where something else stays mounted and running.
fails_on() {
	local out status
	out=$(timeout $((60 * slow)) s3backerd -c "$conf" start 2>&1)
	status=$?
	is "$status $(wc -l <<<"$out")" "1 1" "$2: one line, exit 1"
	has "$out" "$1" "$2: which says what is wrong"
}

no_token() { # no_token sentence
	is "$(keys | grep -c 's3backer-mounted$')" 0 "$1: no token in the bucket"
}

store s3
write_conf bucket=nosuchbucket
fails 'nosuchbucket|NoSuchBucket' "no such bucket"
write_conf accessKey=wrong
fails 'accessKey|signature|SignatureDoesNotMatch|accessId' "a wrong key"
write_conf accessId=NOBODY
fails 'NOBODY|accessId|InvalidAccessKeyId' "an unknown key"
write_conf baseURL=http://127.0.0.1:1/
fails 'refused.*127\.0\.0\.1:1' "a closed port"
write_conf baseURL=http://nowhere.invalid/
fails 'nowhere\.invalid' "a name that does not resolve"

write_conf region=eu-central-1 no-vhost=yes
start_disk
ok $? "the wrong region is no failure: the store says which it is" || disk_log
stop_disk
write_conf bucket="file://$work/nobucket" baseURL= accessId= accessKey=
fails "$work/nobucket" "a directory store that is not there"

write_conf size=
fails 'size' "a new disk without a size"
no_token "a new disk without a size"
write_conf size=100k blockSize=64k
fails 'size.*100k.*multiple.*64k|multiple' "a size that is no multiple of the block size"
write_conf nosuchkey=1
fails 'disk\.conf:[0-9]+: nosuchkey' "an unknown key"
write_conf blockSize=3000
fails 'disk\.conf:[0-9]+: blockSize' "a value out of range"
write_conf bucket=
fails 'bucket' "no bucket at all"
write_conf mountPoint=
fails 'mountPoint' "no mount point at all"

write_conf
rmdir "$mnt"
fails "mount point $mnt does not exist" "a mount point that is missing"
: >"$mnt"
fails "mount point $mnt is not a directory" "a mount point that is a file"
rm "$mnt"
mkdir "$mnt"
mount -t tmpfs none "$mnt"
on_exit umount "$mnt"
fails "$mnt is in use: none \(tmpfs\)" "a mount point in use"
umount "$mnt"

write_conf user=nosuchuser
fails 'nosuchuser' "a user that does not exist"
write_conf runDir=/proc/nowhere
fails '/proc/nowhere' "a runDir that cannot be made"
run=$work/run.disk

write_conf blockCacheFile="$work/no/such/dir/cache"
fails "$work/no/such/dir/cache" "a cache file that cannot be made"
no_token "a cache file that cannot be made"
write_conf blockCacheFile=/dev/null
fails "/dev/null: not a regular file" "a cache file that is a device"
no_token "a cache file that is a device"
write_conf blockCacheFile="$work"
fails "$work: Is a directory" "a cache file that is a directory"
no_token "a cache file that is a directory"

# A cache file of another disk.
write_conf one prefix=one- blockCacheFile="$work/cache" blockCacheSize=64
must_start
put "$file" 0 100000 x
stop_disk
cp cache cache.before
write_conf two prefix=two- blockCacheFile="$work/cache" blockCacheSize=64
fails "$work/cache" "the cache file of another disk"
no_token "the cache file of another disk"
cmp -s cache cache.before
ok $? "the cache file of another disk: it is as it was"
random_file noise 2000000 noise
cp noise noise.before
write_conf three prefix=three- blockCacheFile="$work/noise" blockCacheSize=64
fails "$work/noise" "a file that is no cache file"
cmp -s noise noise.before
ok $? "a file that is no cache file: it is as it was"

# In the mount name space of this test there is no /dev/fuse.
write_conf
cat >nofuse <<'SH'
mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"
SH
run_as="unshare -m --propagation private sh $work/nofuse" fails '/dev/fuse' "no /dev/fuse"
no_token "no /dev/fuse"

# Not root: everything is readable, only mounting is not allowed.
chmod 711 "$work"
chmod 777 "$run"
write_conf plain logTo=stderr runDir="$work/run.plain"
chown nobody "$conf"
chmod 777 "$run"
run_as="setpriv --reuid nobody --regid nogroup --clear-groups" fails 'root' "not root"
no_token "not root"

# Who holds the pid file is named; a pid file that nobody holds stops nobody.
write_conf
echo 4711 >"$run/disk.pid"
start_disk
ok $? "a pid file left by a power cut does not matter"
out=$(s3backerd -c "$conf" start 2>&1)
is $? 1 "already running: exit 1"
is "$out" "s3backerd: $conf is already running: pid $(disk_pid)" "already running: the pid is named"
write_conf second prefix=second- mountPoint="$mnt"
fails_on "$mnt is in use" "the mount point of another disk"
use_disk disk
mkdir other
sed "s/^runDir.*/runDir = ${run//\//\\/}/; s/^prefix.*//; \$a prefix = other-" "$conf" >other/disk.conf
chmod 600 other/disk.conf
out=$(s3backerd -c other/disk.conf stop 2>&1)
is $? 3 "a disk of the same name is not stopped by mistake"
has "$out" "$conf" "and the line says whose the name is"
stop_disk
ok $? "stop"

done_testing
