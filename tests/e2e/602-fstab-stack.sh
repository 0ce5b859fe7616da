#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Two lines of /etc/fstab, a disk and the file system on it: `mount -a` brings both up, `umount -a`
# takes both down in the right order, and the bucket is complete then.
#
# umount -a tries everything that it sees, so it sees nothing else (ownroot.sh).

LIMIT=90 NEEDS="fuse loop ext4 overlay unshare mkfs.ext4"
. "$(dirname "$0")/lib.sh"
. "$root/tests/e2e/ownroot.sh"

own_root

is "$(awk '$2 == "/" { t = $3 } END { print t }' /proc/self/mounts)" overlay "a root of our own" || done_testing

# The directory of the test is one of our mounts, too, and we are in it.
all_down() {
	umount -a -t fuse.s3backerd,ext4 2>&1 | grep -vE "^umount: ($work|$root|$S3B_BIN): target is busy" >down.out
	cat down.out
	[ ! -s down.out ]
}
mounted() { grep -c " $work/" /proc/self/mounts; }
no_loops() { ! losetup -n -O BACK-FILE | grep -qF "$work/"; }

store dir
write_conf mountPoint= blockCacheFile="$work/cache"
mnt=$work/mnt.disk file=$mnt/file
mkdir fs
cat >fstab <<END
$conf $mnt fuse.s3backerd _netdev,nofail,directIO 0 0
$file $work/fs ext4 loop,discard,_netdev,nofail 0 0
END
has "$(cat "$root/man/s3backer.conf.5" "$root/man/s3backerd.8" "$root/man/s3backer-recipes.7" 2>/dev/null)" \
    'fuse\.s3backerd _netdev,nofail,directIO' "the manual has these lines"
before=$(mounted)

# Once, before the second line means anything.
quietly mount -T fstab "$mnt"
ok $? "mount -T fstab DIR: the disk" || disk_log
quietly mkfs.ext4 -q "$file"
ok $? "mkfs.ext4"
quietly all_down
is "$(mounted)" "$before" "umount -a: the disk has gone"
nothing_left "nothing is left"

quietly mount -a -T fstab
ok $? "mount -a: both" || disk_log
is "$(mounted)" $((before + 2)) "two mounts more"
random_file "$work/fs/data" 5000000 x
ok $? "files"
want=$(sum <"$work/fs/data")
quietly all_down
ok $? "umount -a: both, the file system first" || disk_log
is "$(mounted)" "$before" "as before"
wait_for 10 no_loops
ok $? "no loop device is left"
nothing_left "no disk is left"
[ "$(blocks | wc -l)" -ge 75 ]
ok $? "the bucket has everything"

quietly mount -a -T fstab
is "$(sum <"$work/fs/data")" "$want" "mount -a again: the same bytes"
out=$(mount -a -v -T fstab 2>&1)
has "$out" 'already mounted' "mount -a once more does nothing"
is "$(mounted)" $((before + 2)) "still two mounts"
exec 9<"$work/fs/data"
out=$(all_down 2>&1)
[ "$(mounted)" -gt "$before" ] && is_mounted
ok $? "somebody has a file open: umount -a leaves both"
has "$out" "busy|in use" "and says so"
is "$(sum <&9)" "$want" "who has it open can read"
exec 9<&-
quietly all_down
is "$(mounted)" "$before" "then they go"
nothing_left "nothing is left"
done_testing
