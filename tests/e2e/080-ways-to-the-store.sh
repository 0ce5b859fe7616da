#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The ways to a store: HTTPS with a certificate to trust, the bucket in the host name, another region,
# a bucket without keys, keys from a file or the environment.

LIMIT=120
. "$(dirname "$0")/lib.sh"

works() { # works sentence KEY=VALUE...: write, trim, list, read back cold
	local what=$1
	shift
	write_conf size=32m listBlocks=yes "$@"
	start_disk
	ok $? "$what: start" || { disk_log; return 1; }
	put "$file" 0 3000000 "$what"
	fallocate --punch-hole --offset 1048576 --length 1048576 "$file"
	restart_cold
	ok $? "$what: stop and start" || disk_log
	cmp -s <(get "$file" 0 1048576) <(get put.tmp 0 1048576) &&
	    [ "$(get "$file" 1048576 1048576 | tr -d '\0' | wc -c)" = 0 ] &&
	    cmp -s <(get "$file" 2097152 902848) <(get put.tmp 2097152 902848)
	ok $? "$what: the same bytes, trimmed ones zero"
	stop_disk
	[ "$(server_stats signature_failures)" = 0 ]
	ok $? "$what: no request refused"
}
refused() { # refused REGEX sentence KEY=VALUE...
	local regex=$1 what=$2 out
	shift 2
	write_conf size=32m "$@"
	out=$(s3backerd -c "$conf" start 2>&1)
	is "$? $(wc -l <<<"$out")" "1 1" "$what: one line, exit 1"
	has "$out" "$regex" "$what: says so"
}

store s3
works "path style" prefix=path-
is "$(server_log | awk '$3 == "PUT" { print $4 }' | grep -vc '^/bkt/')" 0 "the bucket is in the path"
mark=$(server_mark)
works "virtual-host style" baseURL="http://localhost:$port/" vhost=yes prefix=vhost-
is "$(server_log "$mark" | awk '$3 == "PUT" { print $4 }' | grep -c '^/bkt/')" 0 "the bucket is not in the path"
has "$(server_log "$mark")" 'host=bkt\.localhost:' "but in the host name"
echo "# keys
OTHER:nothing
$ID:$SECRET" >keys
chmod 600 keys
works "keys from a file" accessId="$ID" accessKey= accessFile="$work/keys" prefix=file-
works "compressed" compress=zstd prefix=zstd-
works "encrypted" encrypt=AES-256-CBC password=secret prefix=enc-
! object enc-00000000 | cmp -s - <(get put.tmp 0 65536)
ok $? "encrypted: not in the clear"
export THE_KEY=$SECRET
works "the key from the environment" accessKey= accessKeyEnv=THE_KEY prefix=env-
unset THE_KEY
chmod 644 keys
refused "$work/keys.*chmod 600|chmod 600.*keys" "a file that others can read" accessId= accessKey= accessFile="$work/keys"
stop_server

start_server --region eu-north-7
works "another region" region=eu-north-7 no-vhost=yes prefix=region-
stop_server
start_server --anonymous
works "a bucket without keys" accessId=- accessKey= prefix=anon-
is "$(server_log | grep -ci 'authorization=')" 0 "no request is signed"
stop_server

start_server --tls "$work/tls" --admin-port 0 --admin-port-file "$work/admin.port"
admin=http://127.0.0.1:$(cat admin.port)/_s3testd
url=https://127.0.0.1:$port
works "HTTPS" cacert="$work/tls/cert.pem" prefix=tls-
works "HTTPS, insecure" insecure=yes prefix=insecure-
has "$(cat "$run/log")" 'insecure' "which the log says loudly"
refused 'certificate|cacert' "HTTPS, an unknown certificate" maxRetryPause=1s
stop_server
done_testing
