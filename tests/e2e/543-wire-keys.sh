#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Keys that show in requests: accessType, storageClass, sse, sse-key-id, authVersion, accessId, accessToken, region,
# vhost, no-vhost, prefix (percent-encoded), blockHashPrefix.

LIMIT=120
. "$(dirname "$0")/lib.sh"

store s3
wire_conf() { write_conf size=8m blockSize=64k readAhead=0 "$@"; }
puts() { server_log "$mark" | grep ' PUT '; } # since $mark
# wrote KEY=VALUE...: one block, uploaded; sets mark
wrote() {
	wire_conf "$@"
	mark=$(server_mark)
	must_start
	put "$file" 65536 65536 "$*"
	stop_disk
}

# ---- headers of new objects -----------------------------------------------------------------------------
wrote accessType=public-read storageClass=STANDARD_IA sse=aws:kms sse-key-id=the-key
for header in x-amz-acl=public-read x-amz-storage-class=STANDARD_IA x-amz-server-side-encryption=aws:kms \
    x-amz-server-side-encryption-aws-kms-key-id=the-key user-agent=s3backer/; do
	is "$(puts | grep -c "$header")" "$(puts | wc -l)" "$header: on the token and the block"
done
le 2 "$(puts | wc -l)" "which are two or more"
is "$(server_log "$mark" | grep ' GET ' | grep -c 'x-amz-storage-class')" 0 "and on nothing that only asks"
wrote sse=AES256
has "$(puts)" 'x-amz-server-side-encryption=AES256' "sse = AES256"
has "$(puts)" 'x-amz-acl=private' "accessType is private without the key"
is "$(puts | grep -c 'storage-class')" 0 "and no storage class is named"

# ---- signatures ------------------------------------------------------------------------------------------
wrote authVersion=aws2
is "$(puts | grep -c 'x-amz-content-sha256')" 0 "authVersion = aws2: signed without a SHA-256"
wrote authVersion=aws4
is "$(puts | grep -c 'x-amz-content-sha256')" "$(puts | wc -l)" "authVersion = aws4: with one"
is "$(server_stats signature_failures)" 0 "the server has accepted both"
has "$(s3backerd -c "$conf" -o accessId=OTHER start 2>&1)" 'OTHER' "accessId: another one is refused, by name"
failures=$(server_stats signature_failures)

adm --data-binary "TEMPORARY:secret+key:the/token" "$admin/credential" >/dev/null
wrote accessId=TEMPORARY accessKey=secret+key accessToken=the/token
object "$(printf %08x 1)" | cmp -s - put.tmp
ok $? "accessToken: the server, which wants it, has taken the block"
s3backerd -c "$conf" -o accessToken=another start >/dev/null 2>&1
is $? 1 "another one is refused"
failures=$(server_stats signature_failures)

# ---- where the bucket's name is -----------------------------------------------------------------------------
wrote baseURL="http://localhost:$port/" region=us-east-1
has "$(puts)" 'host=bkt.localhost|/bkt/' "region: requests are sent"
wrote baseURL="http://localhost:$port/" vhost=yes
is "$(puts | grep -c 'host=bkt\.localhost')" "$(puts | wc -l)" "vhost: the bucket is in the host name"
wrote baseURL="http://localhost:$port/" region=us-east-1 no-vhost=yes
is "$(puts | awk '$4 ~ "^/bkt/"' | wc -l)" "$(puts | wc -l)" "no-vhost: the bucket is in the path"

# ---- names: every byte that is not plain is escaped, and signed as it is sent -----------------------------------
odd="a b+c/ü%41&=?~#x/"
mark=$(server_mark)
wire_conf listBlocks=yes size=1m
must_start -o prefix="$odd"
put "$file" 0 $((4 * 65536)) odd
cp put.tmp odd
quietly ctl flush
fallocate -p -o 65536 -l 131072 "$file"
stop_disk
has "$(puts)" ' /bkt/a%20b%2Bc/%C3%BC%2541%26%3D%3F~%23x/00000000 ' "a name with blank, +, ü, %, &, =, ?, #: escaped in the path"
is "$(server_keys | grep -c -F "$odd"0000000)" 2 "and as it is in the bucket; what was trimmed is gone, by its name"
must_start -o prefix="$odd"
cmp -s <(get "$file" 0 65536) <(head -c 65536 odd) && cmp -s <(get "$file" 196608 65536) <(tail -c 65536 odd)
ok $? "it is read again"
wait_for 10 grep -q 'survey of the bucket is complete: blocks=2' "$run/log"
ok $? "and listed"
stop_disk
is "$(server_stats signature_failures)" "$failures" "all signatures were right"
mark=$(server_mark)
wire_conf bucket="bkt/sub dir+/ü" size=1m
must_start
put "$file" 0 65536 sub
stop_disk
has "$(puts)" ' /bkt/sub%20dir%2B/%C3%BC/00000000 ' "a sub-directory of the bucket: likewise"
wrote blockHashPrefix=yes prefix=h-
has "$(puts)" '/bkt/h-d211cad9-00000001 ' "blockHashPrefix: hash and number"

done_testing
