#!/bin/bash
# SPDX-License-Identifier: ISC
#
# `mount DIR` and `umount DIR` with a line in /etc/fstab.
#
# In a mount namespace of its own: there /etc/fstab is ours, and the helpers lie in /sbin, without
# the machine's files being touched.

LIMIT=90 NEEDS="fuse overlay unshare"
. "$(dirname "$0")/lib.sh"

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private bash "$0"
fi
drop_copies

mkdir ov && mount -t tmpfs tmpfs ov && mkdir ov/up ov/work
[ -x "$S3B_BIN/mount.fuse.s3backerd" ] && [ -x "$S3B_BIN/umount.fuse.s3backerd" ] || skip_all "no helpers"
ln -s "$S3B_BIN/mount.fuse.s3backerd" "$S3B_BIN/umount.fuse.s3backerd" ov/up/
sbin=$(readlink -f /sbin)
quietly mount -t overlay overlay -o "lowerdir=$sbin,upperdir=$work/ov/up,workdir=$work/ov/work" "$sbin" ||
    skip_all "no overlay here"

store dir
write_conf mountPoint=
mnt=$work/mnt.disk file=$mnt/file
# shellcheck disable=SC2031
echo "$conf $mnt fuse.s3backerd _netdev,nofail,noauto,blockCacheWriteDelay=50ms 0 0" >fstab
mount --bind fstab /etc/fstab

quietly mount "$mnt"
ok $? "mount DIR starts the disk" || { disk_log; done_testing; }
is_mounted
ok $? "it is mounted"
put "$file" 0 200000 x
ok $? "write"
is "$(status disk.file)" "$file" "mountPoint comes from fstab"
quietly umount "$mnt"
ok $? "umount DIR stops it"
nothing_left "nothing is left"
is "$(blocks | tr '\n' ' ')" "$(printf '%08x ' 0 1 2 3)" "and the bucket is complete when umount returns"

quietly mount "$mnt"
ok $? "mount again"
is "$(get "$file" 0 200000 | sum)" "$(sum <put.tmp)" "the same bytes"
exec 7<"$file"
out=$(umount "$mnt" 2>&1)
[ $? != 0 ]
ok $? "umount of a busy disk fails"
has "$out" "busy|in use" "and says why"
is "$(get "$file" 0 200000 | sum)" "$(sum <put.tmp)" "and the disk goes on"
exec 7<&-
s3backerd -c "$conf" stop -o mountPoint="$mnt" >/dev/null 2>&1 || quietly s3backerd -c "$conf" stop
ok $? "s3backerd stop ends what mount started"
nothing_left "nothing is left"

echo "$conf $mnt fuse.s3backerd noauto,nonsense=1 0 0" >fstab
out=$(mount "$mnt" 2>&1)
status=$?
[ $status != 0 ]
ok $? "a bad option: mount fails (exit $status)"
has "$out" 'nonsense' "and names it"
nothing_left "nothing is left"

echo "$conf $mnt fuse.s3backerd noauto,ro 0 0" >fstab
quietly mount "$mnt"
ok $? "ro"
is "$(status disk.readOnly)" true "means a read-only disk"
quietly umount "$mnt"
nothing_left "nothing is left"
done_testing
