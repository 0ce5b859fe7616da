#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A frontend dies while the commit is written that its flush waits for.  The answer belongs to nobody then: its
# successor, which has the kernel ask again, must not find it in a ring that is its own by now.

LIMIT=120 NEEDS="fuse inject"
. "$(dirname "$0")/lib.sh"

v=$(uname -r)
[ "$(printf '%s\n6.9\n' "${v%%-*}" | sort -V | head -n 1)" = 6.9 ] || skip_all "needs Linux 6.9"

writing() { grep -q 'injection point cachemgr.commit.before-batch passed' "$run/log"; }
again() { [ "$(role_pid frontend)" -gt 0 ] && [ "$(role_pid frontend)" != "$dead" ]; }

store s3
write_conf size=16m blockCacheFile="$work/cache" blockCacheWriteDelay=60s maxDirtyAge=5m
# The first is the empty journal of a new file.
S3B_INJECT="${S3B_INJECT:+$S3B_INJECT,}cachemgr.commit.before-batch:log:2,cachemgr.commit.before-batch:sleep=4000:2" must_start
put "$file" 0 65536 x
(sync "$file" && echo flushed >flushed) &
wait_for 20 writing
ok $? "a commit is under way"
dead=$(role_pid frontend)
kill -KILL "$dead"
wait_for 20 again
ok $? "the frontend has a successor"
is "$(cat flushed 2>/dev/null)" "" "before the commit is written"
wait_for 30 test -s flushed
ok $? "and the flush returns without an error" || disk_log
put "$file" 65536 65536 y
quietly sync "$file"
ok $? "so does the next one"
is "$(ctl metrics | awk '$1 ~ /^s3backer_(stale|bad)_messages/ { n += $2 } END { print n + 0 }')" 0 \
    "no answer came that nobody had asked for"
stop_disk
done_testing
