#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The key is taken away while the disk is in use, and given back: nothing is lost meanwhile, nobody
# who writes sees an error, and status says what is wrong.  Only where the server's users can be changed
# while it runs: Ceph.

LIMIT=240
. "$(dirname "$0")/../e2e/lib.sh"

case ${S3B_SERVER_NAME:-} in
rgw*) ;;
*) skip_all "the users of this server stand in its configuration" ;;
esac
admin() { # the gateway is told of it; what it remembers of the user is forgotten
	CEPH_CONF="$S3_DIR/ceph.conf" timeout 60 radosgw-admin -n client.admin --admin-socket= "$@" \
	    --uid=test >>"$work/admin.log" 2>&1 || note "radosgw-admin $*: $(tail -n 1 "$work/admin.log")"
}

store s3
write_conf size=16m uploaders=2 blockCacheFile="$work/cache" blockCacheSize=300 blockCacheWriteDelay=100ms
must_start
echo "CEPH_CONF=$S3_DIR/ceph.conf radosgw-admin -n client.admin --admin-socket= user enable --uid=test" >>on_exit
put "$file" 0 $((4 << 20)) before
quietly ctl flush
ok $? "written with a key that is good"
admin user suspend
put "$file" $((4 << 20)) $((4 << 20)) meanwhile
ok $? "a write while the key is refused"
wait_for 60 eval '[ "$(status state)" = degraded ]'
ok $? "status says that something is wrong: $(status why)"
has "$(status why)" '403|denied|refused|Suspended' "and what"
le 1 "$(status cache.dirtyBlocks)" "what was written is kept"
cmp <(get "$file" $((4 << 20)) $((4 << 20))) put.tmp
ok $? "and can be read"
out=$(timeout 60 s3backerctl -c "$conf" probe 2>&1)
is $? 1 "probe fails meanwhile"
has "$out" '403|denied|Suspended' "and says why"
admin user enable
quietly timeout 150 s3backerctl -c "$conf" --timeout 140s flush
ok $? "the key is good again: all is uploaded" || disk_log
wait_for 30 eval '[ "$(status state)" = running ]'
ok $? "and the disk is well"
restart_cold
ok $? "stop, empty cache, start" || disk_log
cmp <(get "$file" $((4 << 20)) $((4 << 20))) put.tmp
ok $? "every byte from the bucket"
stop_disk
done_testing
