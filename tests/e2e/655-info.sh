#!/bin/bash
# SPDX-License-Identifier: ISC
#
# info: what is in a bucket, without mounting it: sizes, how it is stored, names with a hash, who has
# it mounted; with a configuration or with a name alone.

LIMIT=60
. "$(dirname "$0")/lib.sh"

info() { ctl --json info | jq -r ".$1"; }

look() {
	write_conf "plain.$store" size=8m blockSize=64k prefix=plain/
	is "$(info mounted) $(info blocks) $(info recorded)" "false 0 false" "$store: nothing there"
	has "$(ctl info)" 'no disk is here' "$store: the page says so"
	must_start
	put "$file" 0 200000 a
	put "$file" 4194304 65536 b
	ctl flush >/dev/null
	is "$(info mounted)" true "$store: mounted"
	has "$(info holder)" "$(hostname).*pid $(disk_pid)" "$store: by whom"
	stop_disk
	is "$(info 'size,.blockSize,.blocks,.dataBytes' | xargs)" "8388608 65536 5 327680" \
	    "$store: sizes and blocks"
	is "$(info 'encrypted,.compression,.hashedNames,.mounted' | xargs)" "false false false" \
	    "$store: stored as it is"
	has "$(ctl info | sed -n 2p)" 'size +8.0 MiB \(8388608\), block size 64.0 KiB, 128 blocks' \
	    "$store: and as a page"
}
for store in dir s3; do
	store $store
	look
done

# ---- what the objects say ------------------------------------------------------------------------
write_conf secret size=8m blockSize=64k prefix=secret/ encrypt=AES-256-CBC password=geheim \
    compress=zstd blockHashPrefix=yes
must_start
tr '\0' x </dev/zero | head -c 1000000 >text
dd if=text of="$file" bs=1M conv=notrunc status=none
stop_disk
# Neither the password nor the kind of names is known to who only looks.
write_conf looks size= blockSize= prefix=secret/
is "$(info 'size,.blocks' | xargs)" "8388608 16" "an encrypted disk: size and blocks"
is "$(info 'encrypted,.cipher,.compression' | xargs)" "true AES-256-CBC zstd" "and how it is stored"
is "$(info hashedNames)" true "names with a hash are found out"
le "$(info storedBytesEstimate)" 200000 "compressed it is small"
has "$(ctl info)" 'compressed with zstd, encrypted with AES-256-CBC, names with a hash' "the page"
is "$(info mounted)" false "nothing was locked"

# A name alone.
echo "$ID:$SECRET" >keys && chmod 600 keys
out=$(s3backerctl --json info -o "accessFile=$work/keys,baseURL=$url/" bkt/secret)
is "$(jq -r '.size,.blocks,.bucket' <<<"$out" | xargs)" "8388608 16 bkt/secret" "info BUCKET"
out=$(s3backerctl info -o "accessFile=$work/keys,baseURL=$url/" nobucket 2>&1)
is $? 1 "a bucket that is not there: exit 1"
has "$out" 'nobucket' "and it is named"

# ---- block 0 of zeros: no size is recorded ---------------------------------------------------------
write_conf nosize size=8m blockSize=64k prefix=nosize/
must_start
put "$file" 65536 100000 c
stop_disk
is "$(info 'recorded,.blocks,.size' | xargs)" "false 2 0" "no size is recorded"
has "$(ctl info)" 'not recorded: the first block is zeros.*64.0 KiB' "the page says why"
is "$(server_keys | grep -c mounted)" 0 "no token is left"
done_testing
