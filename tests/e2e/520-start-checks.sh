#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What is wrong with a configuration is found out at the start, from what is in the bucket, and nothing
# is written then: password, cipher, keyLength, layers, prefix, blockHashPrefix, who has the disk.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store s3
echo right >password
echo wrong >other
chmod 600 password other
common=(bucket=bkt/one size=16m blockSize=64k)

# A reader that has been left behind would keep the disk busy: first read, then compare.
reads() { # reads OFFSET BYTES FILE: does the disk hold what is in FILE?
	get "$file" "$1" "$2" >"$work/read" && cmp -s "$work/read" "$3"
}
wipe_bucket() {
	server_keys | while read -r key; do adm -X DELETE "$admin/object/bkt/$key" >/dev/null; done
}
make_disk() { # make_disk KEY=VALUE...: with two blocks, neither of them block 0
	write_conf "${common[@]}" "$@"
	start_disk || return 1
	put "$file" $((5 * 65536)) 100000 "$RANDOM"
	cp put.tmp data
	stop_disk || note "stop failed"
}
add_block_0() { start_disk && put "$file" 0 100 zero && stop_disk; }
bucket_is() { keys; server_log 0 | grep -cE ' (PUT|DELETE|POST) '; }
refuses() { # refuses PATTERN SENTENCE KEY=VALUE...: and writes nothing
	local pattern=$1 sentence=$2 out status before
	shift 2
	write_conf "$@"
	before=$(bucket_is)
	out=$(s3backerd -c "$conf" start 2>&1)
	status=$?
	is "$status $(wc -l <<<"$out")" "1 1" "$sentence: refused in one line"
	has "$out" "$pattern" "it says why"
	is "$(bucket_is)" "$before" "and nothing was written"
}
starts() { # starts PATTERN SENTENCE KEY=VALUE...: with a note, and reads what is there
	local pattern=$1 sentence=$2 out
	shift 2
	write_conf "$@"
	out=$(s3backerd -c "$conf" start 2>&1)
	ok $? "$sentence: starts"
	has "$out" "$pattern" "it says so"
	reads $((5 * 65536)) 100000 data
	ok $? "and what is there is read"
	stop_disk || note "stop failed"
}

for zero in without with; do
	note "encrypted, $zero a block 0"
	wipe_bucket
	make_disk encrypt=AES-256-CBC passwordFile="$work/password"
	[ $zero = without ] || add_block_0
	is "$(keys | grep -c '00000000$')" "$([ $zero = with ] && echo 1 || echo 0)" "block 0"
	refuses 'the password is wrong' "another password" "${common[@]}" encrypt=AES-256-CBC \
	    passwordFile="$work/other"
	refuses 'of another cipher: encrypt = AES-256-CBC' "another cipher" "${common[@]}" \
	    encrypt=AES-128-CBC passwordFile="$work/password"
	refuses 'encrypted blocks: encrypt = AES-256-CBC' "no encryption" "${common[@]}"
	refuses 'keyLength = 48 is not that of this disk: keyLength = 32' "another keyLength" \
	    "${common[@]}" encrypt=AES-256-CBC passwordFile="$work/password" keyLength=48
done

note "a damaged object is no wrong password"
adm -T data -H 'Content-Encoding: deflate, encrypt-AES-256-CBC' \
    -H 'x-amz-meta-s3backer-hmac: "0123456789012345678901234567890123456789"' \
    "$admin/object/bkt/one/00000000" >/dev/null
write_conf "${common[@]}" encrypt=AES-256-CBC passwordFile="$work/password" maxRetryPause=1s
s3backerd -c "$conf" start >out 2>&1
! grep -q password out
ok $? "nothing is said about the password"
s3backerd -c "$conf" stop >/dev/null 2>&1

note "keyLength"
wipe_bucket
make_disk encrypt=AES-128-CBC keyLength=64 passwordFile="$work/password"
starts 'keyLength = 64 is what this disk was made with' "without keyLength" "${common[@]}" \
    encrypt=AES-128-CBC passwordFile="$work/password"
refuses 'the password is wrong' "another password" "${common[@]}" encrypt=yes passwordFile="$work/other"

note "layers"
wipe_bucket
make_disk compress=deflate
start_disk
yes text | head -c 100000 >data
dd if=data of="$file" bs=65536 seek=5 conv=notrunc status=none
stop_disk || note "stop failed"
refuses 'not encrypted: remove encrypt' "encrypt where nothing is" "${common[@]}" encrypt=yes \
    passwordFile="$work/password"
starts 'compress = deflate goes on compressing' "compressed, without compress" "${common[@]}"

note "names"
wipe_bucket
make_disk blockHashPrefix=yes
refuses 'hashed names: add blockHashPrefix' "hashed names, without blockHashPrefix" "${common[@]}"
wipe_bucket
make_disk
refuses 'plain names: remove blockHashPrefix' "plain names, with blockHashPrefix" "${common[@]}" \
    blockHashPrefix=yes
starts 'new disk|empty|goes|ready|^$' "as it was" "${common[@]}"
add_block_0
write_conf bucket=bkt/two size=16m blockSize=64k
has "$(s3backerd -c "$conf" start 2>&1)" 'there is a disk under "one/"' "another prefix: it is said where the disk is"
stop_disk || note "stop failed"
write_conf bucket=bkt size= blockSize=
out=$(s3backerd -c "$conf" start 2>&1)
has "$out" 'there is a disk under "one/"' "the same without a prefix"
has "$out" 'size: the bucket does not say' "and that size is missing"

note "who has the disk comes first"
wipe_bucket
adm -T <(printf 'elsewhere\n20261124T000000Z\n') -H 'x-amz-meta-s3backer-mount-token: 0badcafe' \
    "$admin/object/bkt/one/s3backer-mounted" >/dev/null
refuses 'mounted by elsewhere since' "an empty disk that another machine has" bucket=bkt/one size= \
    blockSize=

note "one round trip"
wipe_bucket
make_disk
add_block_0
mark=$(server_mark)
start_disk
first=$(server_log "$mark" | sed '/ PUT /,$d')
le "$(wc -l <<<"$first")" 4 "requests before the token is written"
stop_disk || note "stop failed"
done_testing
