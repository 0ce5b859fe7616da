#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What lies in the bucket, byte for byte and header for header, as the format demands.

LIMIT=90
. "$(dirname "$0")/lib.sh"

headers() { adm -I -X GET "$admin/object/bkt/$1" | tr -d '\r'; }
put_lines() { awk '$3 == "PUT"' <(server_log "$mark") | grep " $1 "; }

store s3
mark=0
write_conf
must_start
has "$(headers s3backer-mounted)" '^x-amz-meta-s3backer-mount-token: [0-7][0-9a-f]{7}$' \
    "the token: 31 bits in hexadecimal"
has "$(object s3backer-mounted)" '^[0-9]{8}T[0-9]{6}Z$' "its body ends in the time"
has "$(object s3backer-mounted | head -n 1)" "^$(hostname)" "and begins with the host"
has "$(headers s3backer-mounted)" '^Content-Type: text/plain$' "it is text/plain"
put "$file" 0 200000 x
cp put.tmp data
put "$file" $((1023 * 65536)) 65536 last
cp put.tmp last
stop_disk
is "$(keys | tr '\n' ' ')" "00000000 00000001 00000002 00000003 000003ff " "names, eight hex digits"
cmp -s <(object 00000001) <(get data 65536 65536)
ok $? "an object is the block"
cmp -s <(object 00000003) <(get data 196608 3392; head -c $((65536 - 3392)) /dev/zero)
ok $? "padded with zeros to the block size"
cmp -s <(object 000003ff) last
ok $? "the last block"
h=$(headers 00000000)
has "$h" '^x-amz-meta-s3backer-blocksize: 65536$' "block 0 says the block size"
has "$h" '^x-amz-meta-s3backer-filesize: 67108864$' "and the size"
has "$h" '^Content-Type: application/x-s3backer-block$' "content type of a block"
is "$(grep -ci '^content-encoding' <<<"$h")" 0 "no Content-Encoding"
is "$(headers 00000001 | grep -c 'x-amz-meta')" 0 "the other blocks say nothing of the kind"
has "$h" "^ETag: \"$(object 00000000 | sum)\"" "the ETag is the MD5 of the body"
is "$(server_stats signature_failures)" 0 "no request was signed wrongly"
has "$(put_lines 00000000)" 'x-amz-acl=private' "x-amz-acl: private"

write_conf sub bucket=bkt/sub/dir
must_start
put "$file" 0 100 x
keys sub/ | grep -qx 'sub/dir/s3backer-mounted'
ok $? "bucket = NAME/sub/dir: the token is below it"
stop_disk
is "$(keys sub)" "sub/dir/00000000" "and so is the block"

write_conf pre prefix=pre.-
must_start
put "$file" 0 100 x
stop_disk
is "$(keys pre)" "pre.-00000000" "a prefix is used as it is"

write_conf hash prefix=h/ blockHashPrefix=yes size=32g
must_start
for block in 0 5 255 256 65535 65536; do
	put "$file" $((block * 65536)) 512 "$block"
done
stop_disk
is "$(keys h/ | tr '\n' ' ')" "$(printf 'h/%s ' 5cad6e8f-0000ffff 6a03ab82-00000005 6ad31a26-000000ff \
    b1b53b7c-00010000 c448b72c-00000000 e34e7a2c-00000100)" "hashed names, the format's own examples"
must_start
is "$(for block in 5 65536; do get "$file" $((block * 65536)) 512; done | sum)" \
    "$(for block in 5 65536; do random_file b 512 $block; cat b; done | sum)" "and found again"
stop_disk

# A bucket that was not written by us, as far as that can be said without another program.
for block in 0 2; do
	random_file "theirs.$block" 4096 "$block"
	adm -T "theirs.$block" -H 'Content-Type: application/x-s3backer-block' \
	    -H 'x-amz-meta-s3backer-blocksize: 4096' -H 'x-amz-meta-s3backer-filesize: 1048576' \
	    "$admin/object/bkt/their-$(printf %08x "$block")" >/dev/null
done
adm -T theirs.0 "$admin/object/bkt/their-0000000A" >/dev/null	# upper case: not a block
adm -T theirs.0 "$admin/object/bkt/their-00ffffff" >/dev/null	# outside: not ours
write_conf their prefix=their- size= blockSize= listBlocks=yes
must_start
is "$(status disk.size) $(status disk.blockSize)" "1048576 4096" "a foreign bucket: its sizes"
cmp -s <(get "$file" 0 12288) <(cat theirs.0; head -c 4096 /dev/zero; cat theirs.2)
ok $? "its blocks, and zeros where there is none"
is "$(get "$file" 12288 1036288 | tr -d '\0' | wc -c)" 0 "what is not a block is not read as one"
stop_disk

store dir
write_conf dirdisk
must_start
put "$file" 65536 65536 x
stop_disk
is "$(ls -A "$work/bucket")" 00000001 "a directory store: one file per block and nothing else"
cmp -s "$work/bucket/00000001" put.tmp
ok $? "with the bytes of the block"
done_testing
