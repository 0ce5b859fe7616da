#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The cache file can be written, but not read: what lies in it cannot be uploaded, and the state says so,
# until it can.  The cache file is on forgetfs.

LIMIT=60 NEEDS="fuse python3"
. "$(dirname "$0")/lib.sh"

forget() { # forget COMMAND...: to forgetfs, which holds the cache file; prints the answer
	python3 - "$work/forget.sock" "$*" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall((sys.argv[2] + "\n").encode())
		print(s.makefile().readline().strip())
	PY
}
mkdir -p forget
"$S3B_BIN/forgetfs" -p -s "$work/forget.sock" forget &
on_exit stop_pid $! forgetfs
on_exit umount -l "$work/forget"
wait_for 10 test -S forget.sock || skip_all "forgetfs does not start"

store s3
write_conf size=8m blockSize=64k blockCacheFile="$work/forget/cache" blockCacheSize=4m blockCacheWriteDelay=10m \
    maxDirtyAge=1h
must_start
put "$file" 0 65536 kept
sync "$file"
ok $? "a change is flushed into the cache file"
drop_pages
has "$(forget fault eio read 100)" '^ok' "from now on it cannot be read"
quietly ctl flush &
flush=$!
wait_for 20 state_is degraded
ok $? "an upload that cannot read it: degraded"
has "$(status why)" 'cache file: .*cannot be uploaded: blocks=1 one=0' "which says why"
kill -0 "$flush"
ok $? "flush waits"
put "$file" $((10 * 65536)) 65536 more
ok $? "writes go on"
forget fault none >/dev/null
wait "$flush"
ok $? "when it can be read again, flush is done"
wait_for 10 state_is running
ok $? "and all is well"
cmp -s <(adm "$admin/object/bkt/00000000") <(random_file k 65536 kept && cat k)
ok $? "with the right bytes in the bucket"
stop_disk
done_testing
