#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The store's name cannot be resolved, or moves; its certificate expires, or is another's: the disk
# stays, nothing is sent to a wrong one, and all goes on when it is right again.  In a mount namespace
# of its own, with an /etc/hosts of its own.

if [ -z "${S3B_TEST_NS:-}" ] && unshare -m --propagation private true 2>/dev/null; then
	S3B_TEST_NS=1 exec unshare -m --propagation private bash "$(readlink -f "$0")" "$@"
fi
LIMIT=120 NEEDS="fuse openssl"
. "$(dirname "$0")/lib.sh"
[ -n "${S3B_TEST_NS:-}" ] || skip_all "needs mount namespaces"
drop_copies

hosts() { # hosts LINE: all that /etc/hosts says about the store
	printf '127.0.0.1 localhost\n%s\n' "$1" >"$work/hosts"
}
hosts "127.0.0.1 store.example"
chmod 644 "$work/hosts"
mount --bind "$work/hosts" /etc/hosts || skip_all "cannot have an /etc/hosts of its own"
on_exit umount /etc/hosts

# ---- the name ----------------------------------------------------------------------------------
start_server
store=s3
write_conf size=16m initialRetryPause=50ms maxRetryPause=0 timeout=2s readAhead=0 noCurlCache=yes \
    baseURL="http://store.example:$port/" blockCacheFile="$work/cache"
must_start
put "$file" 0 $((1 << 20)) old
cp put.tmp old
quietly ctl flush
ok $? "a disk at a store with a name"
restart_cold

trouble() { # trouble NAME REGEX BLOCK: it is there now
	(get "$file" $(($3 * 65536)) 65536 | cmp - <(get old $(($3 * 65536)) 65536) && echo 1 >answered) &
	reader=$!
	rm -f answered
	timeout 10 dd if=old of="$file" bs=64k count=1 seek=$((128 + $3)) conv=notrunc status=none &&
	    timeout 10 sync "$file"
	ok $? "$1: writes go on"
	wait_for 10 grep -qE "$2" "$run/log"
	ok $? "$1: the log says so" || disk_log
	[ ! -s answered ]
	ok $? "$1: an uncached block waits"
}
over() { # over NAME BLOCK
	local back
	back=$(now_ms)
	wait_for 20 test -s answered && wait "$reader"
	ok $? "$1: over, the block is read" || disk_log
	le $(($(now_ms) - back)) 15000 "$1: soon, ms"
	wait_for 10 is_clean
	ok $? "$1: and the other uploaded" || disk_log
	cmp -s <(adm "$admin/object/bkt/$(printf %08x $((128 + $2)))") <(head -c 65536 old)
	ok $? "$1: rightly"
}

hosts ""
trouble "no such name" "store\.example:$port cannot be resolved" 3
hosts "127.0.0.1 store.example"
over "no such name" 3
hosts "127.0.0.2 store.example"
trouble "the name of another machine" "connection refused by store\.example:$port" 5
hosts "127.0.0.1 store.example"
over "the name of another machine" 5
stop_disk
stop_server

# ---- the certificate ---------------------------------------------------------------------------
mkdir ca && cd ca || exit 1
cat >ca.cnf <<-EOS
	[ca]
	default_ca = d
	[d]
	database = index.txt
	serial = serial
	new_certs_dir = .
	default_md = sha256
	policy = p
	copy_extensions = copy
	unique_subject = no
	[p]
	commonName = supplied
EOS
touch index.txt && echo 01 >serial
authority() { # authority NAME
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 30 -subj "/CN=$1" 2>/dev/null
}
leaf() { # leaf NAME HOST AUTHORITY FROM TO
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" \
	    -addext "subjectAltName=DNS:$2" 2>/dev/null &&
	    openssl ca -batch -config ca.cnf -cert "$3.pem" -keyfile "$3.key" -in "$1.csr" -out "$1.pem" \
	        -notext -startdate "$4" -enddate "$5" 2>/dev/null
}
authority ours && authority foreign &&
    leaf good store.example ours 20200101000000Z 20991231235959Z &&
    leaf expired store.example ours 20200101000000Z 20200201000000Z &&
    leaf other other.example ours 20200101000000Z 20991231235959Z &&
    leaf unknown store.example foreign 20200101000000Z 20991231235959Z
ok $? "certificates of all kinds"
cd "$work" || exit 1

server_port=
with_certificate() { # with_certificate NAME
	[ -z "$server_port" ] || stop_server
	start_server --dir "$work/objects" --tls-cert "$work/ca/$1.pem" --tls-key "$work/ca/$1.key" \
	    --admin-port 0 --admin-port-file "$work/admin.port"
	server_port=$port
	admin=http://127.0.0.1:$(cat "$work/admin.port")/_s3testd
}
with_certificate good
write_conf tls size=16m initialRetryPause=50ms maxRetryPause=0 timeout=2s readAhead=0 \
    baseURL="https://store.example:$port/" cacert="$work/ca/ours.pem" blockCacheFile="$work/cache.tls"
must_start
put "$file" 0 $((1 << 20)) old
cp put.tmp old
quietly ctl flush
ok $? "a disk over HTTPS"
restart_cold
block=3
declare -A why=([expired]="certificate has expired" [other]="subject name" [unknown]="unable to get")
for bad in expired other unknown; do
	with_certificate $bad
	server_reset
	trouble "certificate: $bad" "certificate of store\.example:$port is not trusted: .*${why[$bad]}" $block
	is "$(server_stats requests)" 0 "certificate: $bad: nothing was sent"
	with_certificate good
	over "certificate: $bad" $block
	block=$((block + 1))
done
stop_disk

# ---- the bucket in front of the name, which region only implies ------------------------------------
stop_server
server_port=
hosts "127.0.0.1 store.example"
start_server
write_conf place size=1m blockSize=64k baseURL="http://store.example:$port/" region=us-east-1
has "$(s3backerd -c "$conf" start 2>&1)" 'its name in the path: .*no-vhost = yes' \
    "a bucket's host name that cannot be resolved: the path is taken, and said so"
is "$(status disk.addressing)" path "and shown by status"
put "$file" 0 65536 placed
stop_disk
cmp -s <(adm "$admin/object/bkt/00000000") put.tmp
ok $? "all processes know it"
done_testing
