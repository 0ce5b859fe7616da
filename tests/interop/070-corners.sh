#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Corners of the format and of the hand-over: layers mixed in one disk, names of ciphers, a server
# that loses a header, prefixes with odd characters, the default block size, cache files.

LIMIT=300
. "$(dirname "$0")/lib.sh"

fresh() { # fresh COMBINATION: an empty bucket on a server of its own
	[ -z "${server_pid:-}" ] || stop_server
	start_server
	store=s3
	disk_of "$1"
	new_model
	rm -f cache*
}
encoding_of() {
	adm -I -X GET "$admin/object/bkt/$1" | tr -d '\r' | sed -n 's/^content-encoding: //Ip'
}
here() { # here SENTENCE [SEED] KEY=VALUE...: ours reads the model, and scribbles with SEED
	local sentence=$1 seed=
	shift
	case ${1:-} in '' | *[!0-9]*) ;; *) seed=$1 && shift ;; esac
	ours "$@"
	start_disk || { ok 1 "$sentence"; disk_log 8; return; }
	same_as "$file" "$sentence"
	[ -z "$seed" ] || scribble "$seed" model "$file"
	stop_disk || ok 1 "stop"
}
there() { # there SENTENCE [SEED] FLAG...: the same with the old program
	local sentence=$1 seed=
	shift
	case ${1:-} in '' | *[!0-9]*) ;; *) seed=$1 && shift ;; esac
	old_start "$@" || { ok 1 "$sentence"; return; }
	same_as "$old_file" "$sentence"
	[ -z "$seed" ] || scribble "$seed" model "$old_file"
	old_stop || ok 1 "the old program ends"
}

note "plain and compressed blocks in one disk"
fresh plain
there "a disk, plain" 1 --size=16m --blockSize=64k
text_at() { piece text model "$2" 70000 && piece text "$1" "$2" 70000; }
ours compress=deflate
start_disk && text_at "$file" 3000000 && stop_disk
ok $? "ours writes two compressed blocks into it"
old_start --compress=1 && text_at "$old_file" 12000000 && old_stop
ok $? "and the old program two"
kinds() { block_objects | grep -c "^content-encoding: $1"; }
is "$(kinds deflate) $(kinds '')" "4 4" "and nothing else has changed"
here "both kinds, read here" compress=no
there "and there"

note "ciphers"
for cipher in AES-128-CBC AES-192-CBC AES-256-CBC DES-EDE3-CBC; do
	fresh plain
	here "$cipher: made here, without compression" 1 encrypt=$cipher compress=no \
	    passwordFile="$work/password" size=16m blockSize=64k
	is "$(encoding_of 00000000)" "encrypt-$cipher" "Content-Encoding"
	there "read and changed there" 2 --encrypt=$cipher --passwordFile="$work/password"
	here "read here" encrypt=${cipher,,} passwordFile="$work/password"
done

note "ciphers of OpenSSL 3's default provider, and of its legacy provider where that is installed"
cat >legacy.cnf <<-END
	openssl_conf = init
	[init]
	providers = providers
	[providers]
	default = on
	legacy = on
	[on]
	activate = 1
END
export OPENSSL_CONF=$work/legacy.cnf
legacy='BF-CBC SEED-CBC CAST5-CBC RC2-CBC'
openssl list -providers 2>/dev/null | grep -q legacy || { note "no legacy provider"; legacy=; }
for cipher in SM4-CBC DES-EDE-CBC $legacy; do
	fresh plain
	there "$cipher: made there" 1 --encrypt=$cipher --passwordFile="$work/password" \
	    --size=16m --blockSize=64k
	here "read and changed here" 2 encrypt=$cipher passwordFile="$work/password"
	is "$(encoding_of 00000000)" "deflate, encrypt-$cipher" "Content-Encoding"
	there "read there" --encrypt=$cipher --passwordFile="$work/password"
done
unset OPENSSL_CONF
for alias in AES256:AES-256-CBC des3:DES-EDE3-CBC; do
	fresh plain
	here "encrypt = ${alias%:*}: made here" 1 encrypt=${alias%:*} passwordFile="$work/password" \
	    size=16m blockSize=64k
	is "$(encoding_of 00000000)" "deflate, encrypt-${alias#*:}" "under the name that the old program reads"
	there "read there" --encrypt=${alias#*:} --passwordFile="$work/password"
done
fresh plain
here "CAMELLIA without compression: made here" 1 encrypt=CAMELLIA-256-CBC compress=no \
    passwordFile="$work/password" size=16m blockSize=64k
there "read there" --encrypt=CAMELLIA-256-CBC --passwordFile="$work/password"
for cipher in 128 192 256; do
	ours encrypt=CAMELLIA-$cipher-CBC passwordFile="$work/password"
	has "$(s3backerd -c "$conf" start 2>&1)" 'encrypt: CAMELLIA.*the old program cannot read' \
	    "CAMELLIA-$cipher with deflate, unreadable there, is refused"
done

note "another password"
fresh encrypt
there "encrypted there" 1 --size=16m --blockSize=64k
echo other >other
before=$(block_objects)
ours passwordFile="$work/other" maxRetryPause=1s
if start_disk 2>/dev/null; then
	get "$file" 0 $BLOCK >garbage 2>/dev/null
	[ "$(stat -c %s garbage)" = 0 ]
	ok $? "nothing can be read with another password"
	stop_disk
else
	ok 0 "the disk does not start with another password"
fi
is "$(block_objects)" "$before" "and nothing has changed"

note "a server that loses Content-Encoding"
fresh deflate
there "compressed there" 1 --size=16m --blockSize=64k
server_keys | while read -r key; do
	object "$key" >body
	[ "$key" != 00000000 ] || sizes=1
	adm -T body -H 'Content-Type: application/x-s3backer-block' \
	    ${sizes:+-H 'x-amz-meta-s3backer-blocksize: 65536' -H "x-amz-meta-s3backer-filesize: $SIZE"} \
	    "$admin/object/bkt/$key" >/dev/null
	sizes=
done
is "$(encoding_of 00000000)" "" "the header is gone"
here "read here with defaultContentEncoding" defaultContentEncoding=deflate
there "and there" --defaultContentEncoding=deflate

note "prefixes"
for odd in 'a+b~c=d&e:f@g-' 'größe/' 'a.b_c-d/' "x'y(z)*!;"; do
	fresh plain
	prefix=$odd
	there "prefix $odd: made there" 1 --prefix="$odd" --size=16m --blockSize=64k
	here "read here" 2 bucket=bkt prefix="$odd"
	there "read there" --prefix="$odd"
done

note "blocks of 4 KiB, more of them than a page of the old listing"
fresh hash
new_model && truncate -s 4m model
old_start --size=4m && random_file noise 1500000 1 && piece noise "$old_file" 100000 1500000 &&
    piece noise model 100000 1500000
old_stop
ours size=4m
has "$(s3backerd -c "$conf" start 2>&1)" '4k is what the old program takes' \
    "nothing says how large the blocks are: ours asks instead of guessing"
here "the default block size of the old program, read here" size=4m blockSize=4k
ours size=4m blockSize=4k && start_disk && piece noise "$file" 0 1000000 && piece noise model 0 1000000 && stop_disk
le 300 "$(server_keys | wc -l)" "blocks"
there "changed here, listed and read there" --listBlocks
here "and here" listBlocks=yes

note "the old program has been unmounted, and still uploads"
fresh plain
old_start --size=16m --blockSize=64k --blockCacheWriteDelay=60000 --blockCacheThreads=1
scribble 1 model "$old_file"
latency 100
umount "$old_mnt"
ours size=16m blockSize=64k
has "$(s3backerd -c "$conf" start 2>&1)" 'mounted' "ours does not start before it has ended"
! gone "$old_pid"
ok $? "which takes longer than its umount"
wait_for 60 gone "$old_pid"
latency 0
here "then it starts, and has all of it"

note "cache files"
fresh plain
there "with a cache file" 1 --size=16m --blockSize=64k --blockCacheFile="$work/cache"
before=$(sum <cache)
ours blockCacheFile="$work/cache"
has "$(s3backerd -c "$conf" start 2>&1)" 'cache: is a cache file of the old program .let it upload' "ours does not take the old program's cache file"
is "$(sum <cache)" "$before" "and leaves it alone"
is "$(server_keys | grep -c mounted)" 0 "and the disk free"
there "the old program goes on with it" 2 --blockCacheFile="$work/cache"
rm cache
here "ours makes one" 3 blockCacheFile="$work/cache" blockCacheSize=300
before=$(sum <cache)
old_start --blockCacheFile="$work/cache" 2>/dev/null
[ $? != 0 ]
ok $? "which the old program does not take" || old_stop
is "$(sum <cache)" "$before" "and leaves alone"
done_testing
