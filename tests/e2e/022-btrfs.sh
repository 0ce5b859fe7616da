#!/bin/bash
# SPDX-License-Identifier: ISC
#
# btrfs on a loop device on the disk: copy, unmount, check, remount with a cold cache, compare.

LIMIT=180 NEEDS="fuse loop btrfs mkfs.btrfs"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fs.sh"

store dir
cache_file=yes fs_on_disk btrfs "mkfs.btrfs -q -f" "btrfs check --readonly" 256m 256k
done_testing
