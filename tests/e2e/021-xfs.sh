#!/bin/bash
# SPDX-License-Identifier: ISC
#
# xfs on a loop device on the disk: copy, unmount, check, remount with a cold cache, compare.

LIMIT=180 NEEDS="fuse loop xfs mkfs.xfs"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fs.sh"

store s3
cache_file=yes fs_on_disk xfs "mkfs.xfs -q -f" "xfs_repair -n" 384m 128k
done_testing
