#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys of the mount: filename, fileMode, uid, gid, statsFilename, statsFileMirror(Interval), directIO,
# readOnly, user; and what logs: logLevel, logTo, debug, debug-http, quiet; drainOnStop.

LIMIT=60
. "$(dirname "$0")/lib.sh"

store dir
mount_conf() { write_conf size=8m blockSize=64k "$@"; }

mount_conf filename=volume fileMode=0640 uid=12345 gid=54321 statsFilename=figures \
    statsFileMirror="$work/mirror" statsFileMirrorInterval=100ms directIO=yes debug=yes logLevel=
must_start
is "$(ls "$mnt" | tr '\n' ' ')" "figures volume " "filename, statsFilename: the names in the mount"
is "$(stat -c '%a %u:%g' "$file")" "640 12345:54321" "fileMode, uid, gid: permissions and owner"
wait_for 10 grep -q '^write_ops ' mirror
ok $? "statsFileMirror: there is a copy"
is "$(stat -c %F mirror)" "regular file" "a regular file"
count() { awk '$1 == "write_ops" { print $2 }' mirror; }
dd if=/dev/zero of="$file" bs=4k count=5 conv=notrunc status=none
wait_for 10 eval '[ "$(count)" -ge 5 ]'
ok $? "statsFileMirrorInterval: it is kept up"
rm mirror
wait_for 10 eval '[ -s mirror ] && [ "$(count)" = 0 ]'
ok $? "deleting it sets it back"
dd if=/dev/zero of="$file" bs=4k count=3 conv=notrunc status=none
wait_for 10 eval '[ "$(count)" -ge 3 ]'
ok $? "and it counts on"
# With directIO each read of ours comes in; the kernel would have kept the page.
reads() { awk '$1 == "read_ops" { print $2 }' "$mnt/figures"; }
before=$(reads)
for _ in 1 2 3; do dd if="$file" of=/dev/null bs=4k count=1 status=none; done
le $((before + 3)) "$(reads)" "directIO: the kernel keeps nothing"
grep -q ' debug\| uploader\|cachemgr' "$run/log" && [ "$(grep -c . "$run/log")" -gt 5 ]
ok $? "debug: the log tells more"
more=$(wc -l <"$run/log")
stop_disk
rm -f "$run/log"

mount_conf quiet=yes logLevel= statsFilename=- user=nobody uid=
chown nobody "$work/bucket" "$work"/bucket/* 2>/dev/null
chmod 755 "$work"
must_start
is "$(ls "$mnt")" file "statsFilename empty: no such file"
is "$(ps -o user= -p "$(role_pid frontend)")" nobody "user: the frontend runs as it"
is "$(ps -o user= -p "$(role_pid uploader.0)")" nobody "and the uploaders do"
for _ in 1 2 3; do dd if="$file" of=/dev/null bs=4k count=1 status=none; done
le "$(awk '$1 == "read_ops" { print $2 }' "$mnt/stats" 2>/dev/null || echo 0)" 0 "nor can it be opened"
stop_disk
le "$(cat "$run/log" 2>/dev/null | wc -l)" 0 "quiet: nothing is logged but warnings (debug had $more lines)"
chown -R root "$work/bucket"

# ---- readOnly -----------------------------------------------------------------------------------------
mount_conf readOnly=yes
must_start
is "$(stat -c %a "$file")" 400 "readOnly: the file's mode says so"
dd if=/dev/zero of="$file" bs=4k count=1 conv=notrunc 2>/dev/null
is $? 1 "and it cannot be written"
fallocate -p -o 0 -l 65536 "$file" 2>/dev/null
is $? 1 "nor can holes be punched"
stop_disk

# ---- drainOnStop --------------------------------------------------------------------------------------
mount_conf drainOnStop=no blockCacheFile="$work/cache" blockCacheSize=4m blockCacheWriteDelay=10m maxDirtyAge=1h
must_start
put "$file" 0 65536 kept
stop_disk
is "$(blocks | wc -l)" 0 "drainOnStop = no: changes stay in the cache file"
must_start
cmp -s <(get "$file" 0 65536) put.tmp
ok $? "and are there after the next start"
quietly ctl flush
stop_disk
is "$(blocks | wc -l)" 1 "which uploads them when asked to"
done_testing
