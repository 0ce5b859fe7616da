#!/bin/bash
# SPDX-License-Identifier: ISC
#
# AES-256-GCM: what lies in the bucket, blocks that are not where they belong, the password at the start
# and its change, while the disk runs and while it does not.

LIMIT=150
. "$(dirname "$0")/lib.sh"

headers() { adm -I -X GET "$admin/object/bkt/$1" | tr -d '\r'; }
# A reader that has been left behind would keep the disk busy: first read, then compare.
reads() { # reads OFFSET BYTES FILE: does the disk hold what is in FILE?
	get "$file" "$1" "$2" >"$work/read" && cmp -s "$work/read" "$3"
}
hex_of() { object "$1" | xxd -p | tr -d '\n'; }

store s3
echo right >password
echo other >new
chmod 600 password new
gcm=(encrypt=AES-256-GCM passwordFile="$work/password" size=16m blockSize=64k uploaders=1)

write_conf plain size=16m
must_start
is "$(keys | grep -c key)" 0 "no key object, unless it was asked for"
stop_disk || note "stop failed"

note "a new disk"
write_conf disk "${gcm[@]}"
must_start
has "$(object s3backer-key)" '^s3backer-key 1 argon2id 3 65536 1 [0-9a-f]{32} [0-9a-f]{32} [0-9a-f]{24} [0-9a-f]{96}$' \
    "the key object"
put "$file" 0 400000 seed
cp put.tmp data
yes 'what compresses' | head -c 65536 >text
dd if=text of="$file" bs=65536 seek=9 conv=notrunc status=none
dd if=/dev/zero of="$file" bs=65536 seek=2 count=1 conv=notrunc status=none
dd if=/dev/zero of=data bs=65536 seek=2 count=1 conv=notrunc status=none
ctl flush >/dev/null
is "$(keys | tr '\n' ' ')" \
    "00000000 00000001 00000003 00000004 00000005 00000006 00000009 s3backer-key s3backer-mounted " \
    "zero blocks are no objects"
has "$(headers 00000009)" '^Content-Encoding: deflate, encrypt-AES-256-GCM$' "a block that compresses"
has "$(headers 00000001)" '^Content-Encoding: encrypt-AES-256-GCM$' "one that does not"
is "$(object 00000001 | wc -c)" $((65536 + 28)) "grows by nonce and tag"
has "$(headers 00000000)" '^x-amz-meta-s3backer-filesize: 16777216$' "block 0 says the size"
! headers 00000000 | grep -qi hmac
ok $? "there is no HMAC"
before=$(hex_of 00000009)
dd if=text of="$file" bs=65536 seek=9 conv=notrunc status=none
ctl flush >/dev/null
[ "$(hex_of 00000009)" != "$before" ] && [ "${before:0:24}" != "$(hex_of 00000009 | cut -c 1-24)" ]
ok $? "the same bytes again are other bytes: a fresh nonce"
quietly ctl rekey "$work/new"
ok $? "rekey while the disk runs"
blocks_before=$(keys | grep -v mounted; hex_of 00000001)
kill -KILL "$(status 'processes[] | select(.role | startswith("uploader")) | .pid' | head -n 1)"
put "$file" $((10 * 65536)) 1000 more
quietly ctl flush
ok $? "an uploader that died is replaced, and writes"
stop_disk || note "stop failed"

note "the password"
out=$(s3backerd -c "$conf" start 2>&1)
is "$? $(wc -l <<<"$out")" "1 1" "the old password: refused in one line"
has "$out" 'the password is wrong' "it says why"
out=$(ctl rekey "$work/new" 2>&1)
is $? 1 "rekey with the old password"
has "$out" 'the password is wrong' "it says why, too"
cp new password
must_start
drop_pages
reads 0 400000 data && reads $((9 * 65536)) 65536 text
ok $? "all is there under the new password"
stop_disk || note "stop failed"
echo third >new
key=$(object s3backer-key)
quietly ctl rekey "$work/new"
ok $? "rekey of a disk that does not run"
[ "$(object s3backer-key)" != "$key" ]
ok $? "another key object"
cp new password
is "$(keys | grep -v mounted; hex_of 00000001)" \
    "$(echo "$blocks_before" | sed 's/^00000009$/00000009\n0000000a/')" "no block was uploaded again"
key=$(object s3backer-key)
echo fourth >new
fault 'put:403'
out=$(ctl rekey "$work/new" 2>&1)
is "$? $(object s3backer-key)" "1 $key" "a store that refuses: the key object is the old one"
has "$out" 'the password is the old one' "it says so"
no_fault
fault 'put:reset=after:nth=1'
quietly ctl rekey "$work/new"
ok $? "an answer that is lost: it is the new one"
no_fault
cp new password
key=$(object s3backer-key)

note "readOnly"
write_conf ro "${gcm[@]}" size= blockSize= readOnly=yes
must_start
reads 0 400000 data
ok $? "reads all"
stop_disk || note "stop failed"
is "$(object s3backer-key)" "$key" "the key object is as it was"

write_conf disk "${gcm[@]}" size=32m force=yes maxRetryPause=1s

note "blocks that are not where they belong"
object 00000001 >one
object 00000003 >three
enc='Content-Encoding: encrypt-AES-256-GCM'
adm -T three -H "$enc" "$admin/object/bkt/00000001" >/dev/null
must_start
put "$file" $((31 << 20)) 1000 end
is "$(status disk.size)" $((32 << 20)) "a larger disk, by force"
get "$file" 65536 65536 >got 2>/dev/null
is "$(wc -c <got)" 0 "another block's object is refused"
has "$(<"$run/log")" 'changed, or of another block or disk' "and the log says so"
get data $((3 * 65536)) 65536 >want && reads $((3 * 65536)) 65536 want
ok $? "its own block is read"
stop_disk || note "stop failed"
adm -T one -H "$enc" "$admin/object/bkt/00000001" >/dev/null

note "a key object that is lost"
adm -X DELETE "$admin/object/bkt/s3backer-key" >/dev/null
out=$(s3backerd -c "$conf" start 2>&1)
has "$out" 'key object s3backer-key is missing' "the disk does not start, and gets no new one"
is "$(keys | grep -c s3backer-)" 0 "nothing was written"
write_conf disk "${gcm[@]}" size= blockSize= keyObject="$key"
must_start
reads 0 400000 data
ok $? "with a copy of it all is there"
is "$(object s3backer-key)" "$key" "and it is back"
stop_disk || note "stop failed"
write_conf wrong encrypt=AES-256-CBC passwordFile="$work/password"
has "$(s3backerd -c "$conf" start 2>&1)" 'encrypt = AES-256-GCM' "the old encryption: it says which"
write_conf wrong
has "$(s3backerd -c "$conf" start 2>&1)" 'encrypt = AES-256-GCM and its password are needed' "so without any"
write_conf disk "${gcm[@]}" size= blockSize=
quietly ctl erase --force
ok $? "erase"
is "$(keys | grep -cE '^0000|key')" 0 "takes the key object with the blocks"
done_testing
