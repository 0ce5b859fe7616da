#!/bin/bash
# SPDX-License-Identifier: ISC
#
# erase removes the disk and nothing else, never a mounted one, and goes on where it was interrupted;
# probe says what a store can do and leaves nothing in it.

LIMIT=90 NEEDS="fuse"
. "$(dirname "$0")/lib.sh"

mine() { server_keys "$1" | grep -cE "^$1[0-9a-f]{8}\$"; }
mib_of_blocks() { # mib_of_blocks N: N blocks of 64 KiB
	put "$file" 0 $(($1 << 16)) blocks
}

# ---- erase -------------------------------------------------------------------------------------
erase_one() {
	write_conf "$store" "$@" prefix=d/ blockCacheSize=200
	must_start
	mib_of_blocks 30
	out=$(ctl erase --force 2>&1)
	is $? 1 "$store: a mounted disk is not erased"
	has "$out" 'mounted here, pid [0-9]+: stop it first' "$store: and what to do"
	stop_disk
}
foreign() { # objects that only look like ours
	for k in d/0000000A d/000000001 d/notes dd/00000001 00000001; do
		adm -X PUT --data-binary x "$admin/object/bkt/$k" >/dev/null
	done
}

store s3
erase_one
is "$(mine d/)" 30 "thirty blocks"
foreign
before=$(server_keys d/ | grep -cvE '/[0-9a-f]{8}$')
out=$(echo wrong | ctl erase 2>&1)
is $? 1 "another name is not the name"
has "$out" 'bkt/d/ holds a disk of 64.0 MiB in blocks of 64.0 KiB' "it says what is there"
is "$(mine d/)" 30 "and nothing was erased"
fault 'bulk:503'
out=$(ctl erase --force 2>&1)
is $? 1 "a store that fails"
has "$out" 'the same command again goes on' "says how to go on"
has "$(ctl mounted-flag)" 'mounted by' "the token is held meanwhile"
no_fault
out=$(echo bkt | ctl erase 2>&1)
is $? 1 "the bucket alone is not the name of a disk with a prefix"
out=$(echo bkt/d/ | ctl erase 2>&1)
is $? 0 "the same again, its name typed" || note "$out"
has "$out" 'erased: 30 blocks' "all"
is "$(mine d/)" 0 "no block is left"
is "$(server_keys d/ | grep -cvE '/[0-9a-f]{8}$')" "$before" "and other objects are"
is "$(server_keys | grep -c mounted)" 0 "no token either"
has "$(ctl erase --force)" 'holds no blocks' "once more: nothing is there"

erase_one blockHashPrefix=yes
ctl erase --force >/dev/null
is "$(server_keys d/ | grep -cE -- '-[0-9a-f]{8}$')" 0 "hashed names are found"
# Another machine's token.
write_conf other prefix=o/ fence=auto
must_start
mib_of_blocks 2
ctl flush >/dev/null
kill_disk
rm -f "$run"/*.state "$work"/*.state
out=$(ctl erase --force 2>&1)
is $? 1 "a disk that another machine has is not erased"
has "$out" 'since .*token' "and who has it"
is "$(mine o/)" 2 "nothing is gone"
write_conf nobulk prefix=n/
must_start
mib_of_blocks 20
stop_disk
fault 'bulk:501'
ctl erase --force >/dev/null
is $? 0 "a store without bulk delete"
is "$(server_keys n/ | wc -l)" 0 "is emptied one by one"
no_fault

store dir
erase_one
is "$(find "$work/bucket/d" -type f | wc -l)" 30 "thirty files"
ctl erase --force >/dev/null
is "$(find "$work/bucket" -type f | wc -l)" 0 "a directory is empty afterwards"

# ---- probe -------------------------------------------------------------------------------------
store s3
write_conf probe prefix=p/
out=$(ctl probe 2>&1)
is $? 0 "probe" || note "$out"
has "$out" 'If-None-Match: yes, If-Match: yes' "conditions"
has "$out" 'reads see the last write' "consistency"
has "$out" '^blockSize = [0-9]+k$' "a block size"
has "$out" '^maxTransfers = [0-9]+$' "transfers"
is "$(server_keys p/ | wc -l)" 0 "nothing is left in the bucket"
fault 'delete:503:after=1'
fault 'bulk:503'
ctl probe >/dev/null 2>&1
is $? 1 "a store that does not delete"
no_fault
has "$(server_keys p/)" 's3backer-probe-' "leaves something"
must_start
out=$(ctl --json probe)
is "$(jq -r '.ranges, .bulkDelete, .checksums' <<<"$out" | tr '\n' ' ')" "true true true " "JSON, with the disk running"
stop_disk
is "$(server_keys p/ | wc -l)" 0 "which the next one removes"
fault 'put:403=AccessDenied'
out=$(ctl probe 2>&1)
is $? 1 "a key that may not write"
has "$out" '403' "and the reason"
no_fault
store dir
write_conf probedir prefix=p/
ctl probe >/dev/null
is $? 0 "a directory"
is "$(find "$work/bucket" -type f | wc -l)" 0 "which stays empty"
done_testing
