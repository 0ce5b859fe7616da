#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The cache file's fdatasync fails, and the cache manager is killed before it has told anybody.  The kernel
# reports an error once: its successor must not take the next one, which succeeds, for a flush.

LIMIT=120 NEEDS="fuse inject"
. "$(dirname "$0")/lib.sh"

died() { grep -q 'cachemgr died' "$run/log"; }

store s3
write_conf size=16m blockCacheFile="$work/cache" blockCacheWriteDelay=60s maxDirtyAge=5m initialRetryPause=20ms
# The first is the empty journal of a new file.
S3B_INJECT="${S3B_INJECT:+$S3B_INJECT,}cachemgr.commit.io-error:fail:2,cachemgr.commit.after-error:kill:1" must_start
fault put:503
put "$file" 0 65536 x
(sync "$file" && echo flushed >flushed) &
wait_for 20 died
ok $? "the cache manager dies with the error"
wait_for 20 state_is degraded
ok $? "its successor knows" || disk_log
has "$(status why)" '^cache file: ' "and says so"
is "$(cat flushed 2>/dev/null)" "" "the flush waits for the bucket"
no_fault
wait_for 30 test -s flushed
ok $? "and is over when that has it"
is "$(object 00000000 | sum)" "$(sum <put.tmp)" "the bytes"
stop_disk
done_testing
