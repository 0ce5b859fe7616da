#!/bin/bash
# SPDX-License-Identifier: ISC
#
# export, import and copy: every byte, holes stay holes, interrupted work goes on where it was, and
# nothing is overwritten or read while somebody else could change it.

LIMIT=150
. "$(dirname "$0")/lib.sh"

same_bytes() { # same_bytes A B sentence
	cmp "$1" "$2" >&2
	ok $? "$3"
}
refused() { # refused REGEX sentence COMMAND...
	local regex=$1 sentence=$2 out status
	shift 2
	out=$(ctl "$@" 2>&1)
	status=$?
	is $status 1 "$sentence: exit 1"
	has "$out" "$regex" "$sentence: says why"
}
gets() { block_requests GET; }
fill() { # a disk with data here and there, and what it looks like in the file $1
	put "$file" 0 300000 one
	head -c 1000000 </dev/zero | tr '\0' t | dd of="$file" bs=1M seek=20 conv=notrunc status=none
	put "$file" 5000001 700000 two
	put "$file" $((30 << 20)) 2000000 three
	put "$file" $(((32 << 20) - 5000)) 5000 end
	cp --sparse=always "$file" "$1"
}

store s3
write_conf size=32m blockSize=64k prefix=a/ encrypt=yes password=geheim maxTransfers=8
must_start
fill truth
refused 'is running: pid' "export of a disk that runs here" export img
stop_disk

# ---- export ------------------------------------------------------------------------------------
out=$(ctl export img)
is $? 0 "export"
has "$out" 'img: a disk of 32.0 MiB, .* in [0-9]+ blocks' "and what was carried"
same_bytes img truth "the image has every byte"
le "$(du -k img | cut -f1)" 4200 "blocks that do not exist are holes"
is "$(ls img.* 2>/dev/null)" "" "nothing is left beside it"
is "$(server_keys | grep -c mounted)" 0 "no token was taken"
refused 'is there already \(--force' "an image that is there" export img
write_conf other size= blockSize= prefix=a/ encrypt=yes password=geheim readOnly=yes
s3backerd -c "$work/disk.conf" start >/dev/null
refused 'mounted by .*could change' "a disk that is mounted elsewhere" export img2
use_disk disk
stop_disk

# Interrupted: what was fetched is not fetched again, what has changed is.
mark=$(server_mark)
latency 150
s3backerctl -c "$conf" export part >/dev/null 2>&1 &
pid=$!
some_gets() { [ "$(gets)" -ge 24 ]; }
wait_for 20 some_gets
kill -TERM $pid
wait $pid
is $? 1 "interrupted: exit 1"
latency 0
[ -e part.s3backer ]
ok $? "progress is kept"
first=$(gets)
must_start
put "$file" 0 1000 changed
cp --sparse=always "$file" truth
stop_disk
mark=$(server_mark)
ctl export part >out 2>&1
is $? 0 "the same command goes on"
has "$(cat out)" 'going on with part' "and says so"
same_bytes part truth "with what was written meanwhile"
total=$(blocks a/ | wc -l)
le "$(gets)" $((total - 8)) "what was there is not fetched again (first $first, of $total)"

# ---- import ------------------------------------------------------------------------------------
write_conf two size= blockSize=128k prefix=b/ compress=yes maxTransfers=8
ctl import truth >out 2>&1
is $? 0 "import into an empty bucket, with other blocks" || cat out >&2
is "$(server_keys | grep -c mounted)" 0 "the token was given back"
is "$(ctl --json info | jq -r '.size,.blockSize,.compression' | xargs)" "33554432 131072 deflate" \
    "size from the image"
must_start
same_bytes "$file" truth "the disk has every byte"
stop_disk
refused 'holds a disk already, with [0-9]+ blocks \(--force' "a disk that is there" import truth
head -c 1000000 truth >small
ctl --json import --force small >out 2>&1
is $? 0 "--force replaces it"
is "$(blocks b/ | wc -l)" 3 "blocks behind the end of the image have gone"
truncate -s 64m large
refused 'has 64.0 MiB, the disk only 32.0 MiB' "an image that is too large" import --force large

# Killed in the middle: the disk stays locked, and the same command goes on.
write_conf three size=32m blockSize=64k prefix=c/ maxTransfers=4
mark=$(server_mark)
latency 150
s3backerctl -c "$conf" import truth >/dev/null 2>&1 &
pid=$!
some_puts() { [ "$(block_requests PUT)" -ge 16 ]; }
wait_for 20 some_puts
kill -KILL $pid
wait $pid 2>/dev/null
latency 0
is "$(server_keys c/ | grep -c mounted)" 1 "the disk is marked as mounted"
has "$(s3backerd -c "$conf" start 2>&1)" 'mounted by .*reset-mounted-flag' "nobody can start it"
mark=$(server_mark)
ctl import truth >out 2>&1
is $? 0 "the same command goes on" || cat out >&2
is "$(server_keys c/ | grep -c mounted)" 0 "then it is free again"
must_start
same_bytes "$file" truth "and complete"
stop_disk

# ---- copy --------------------------------------------------------------------------------------
write_conf four size= blockSize= prefix=d/ encrypt=AES-256-CBC password=anders compress=zstd
use_disk disk
ctl copy "$work/four.conf" >out 2>&1
is $? 0 "copy: encrypted anew, because the keys depend on the name" || cat out >&2
use_disk four
is "$(ctl --json info | jq -r '.size,.blockSize,.cipher,.compression' | xargs)" \
    "33554432 65536 AES-256-CBC zstd" "as its configuration says"
must_start
same_bytes "$file" truth "every byte"
put "$file" 100000 1000 more
cp --sparse=always "$file" truth2
use_disk disk
refused "is running: pid" "a destination that runs" copy "$work/four.conf"
use_disk four
stop_disk
use_disk disk
refused 'holds a disk already' "a destination that is there" copy "$work/four.conf"
refused 'the same disk' "a disk onto itself" copy "$conf"
is "$(server_keys | grep -c mounted)" 0 "no token is left"

# ---- a directory as a store, there and back ---------------------------------------------------------
store dir
write_conf dirdisk size= blockSize=64k
ctl import truth2 >/dev/null
is $? 0 "import into a directory"
ctl export back >/dev/null
same_bytes back truth2 "and back"

# A block that cannot be read: named, and with --force the rest is there.
victim=$(ls bucket | grep -E '^[0-9a-f]{8}$' | tail -n 1)
truncate -s 100 "bucket/$victim"
refused "block $((16#$victim)) cannot be read" "a damaged block" export bad
ctl export --force bad >out 2>&1
is $? 1 "--force goes on behind it, and exits with 1"
head -c $((16#$victim << 16)) truth2 | cmp - <(head -c $((16#$victim << 16)) bad)
ok $? "everything before it is there"
done_testing
