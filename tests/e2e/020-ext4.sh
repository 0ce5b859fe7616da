#!/bin/bash
# SPDX-License-Identifier: ISC
#
# ext4 on a loop device on the disk: copy, unmount, check, remount with a cold cache, compare.

LIMIT=180 NEEDS="fuse loop ext4 mkfs.ext4"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fs.sh"

store s3
cache_file=yes fs_on_disk ext4 "mkfs.ext4 -q -F" "e2fsck -fn" 256m 64k
done_testing
