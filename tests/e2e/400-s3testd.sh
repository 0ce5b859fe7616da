#!/bin/bash
# SPDX-License-Identifier: ISC
#
# 400-s3testd.sh -- the test server, asked by a client that is not ours: curl with its own SigV4.
#
# What the other tests take for granted is checked here: a wrong signature is refused, a fault rule
# does what it says, an object comes back as it was put.  S3TESTD names the program under test.

set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
S3TESTD=${S3TESTD:-${B:-$root/build}/bin/s3testd}
ID=AKIDEXAMPLE SECRET=wJalrXUtnFEMI+K7MDENG
work=$(mktemp -d)
server=
count=0 failed=0

cleanup() {
	[ -z "$server" ] || kill "$server"
	wait
	rm -rf "$work"
}
trap cleanup EXIT

ok() { # ok STATUS sentence
	local status=$1
	shift
	count=$((count + 1))
	if [ "$status" = 0 ]; then
		echo "ok $count - $*"
	else
		failed=$((failed + 1))
		echo "not ok $count - $*"
	fi
}

is() { # is GOT WANT sentence
	local got=$1 want=$2
	shift 2
	[ "$got" = "$want" ]
	ok $? "$*"
	[ "$got" = "$want" ] || printf '#   got  "%s"\n#   want "%s"\n' "$got" "$want"
}

has() { # has TEXT PATTERN sentence
	local text=$1 pattern=$2
	shift 2
	grep -qE -- "$pattern" <<<"$text"
	local status=$?
	ok $status "$*"
	[ $status = 0 ] || { echo "#   no /$pattern/ in:"; sed 's/^/#   /' <<<"$text"; }
}

if [ ! -x "$S3TESTD" ]; then
	echo "Bail out! $S3TESTD is not there: make"
	exit 1
fi
if ! curl --help all 2>/dev/null | grep -q aws-sigv4; then
	echo "1..0 # SKIP needs a curl with --aws-sigv4"
	exit 0
fi

# start ARGS...: a server; sets port, base, admin, server (its pid).
start() {
	local file=$work/port.$((++starts))
	"$S3TESTD" --port-file "$file" --die-with-parent --bucket bkt "$@" >/dev/null &
	server=$!
	until [ -s "$file" ] || ! kill -0 "$server" 2>/dev/null; do sleep 0.01; done
	port=$(cat "$file")
	base=http://127.0.0.1:$port admin=$base/_s3testd
}
starts=0

stop() {
	local pid=$server
	server=
	kill "$pid" && wait "$pid" 2>/dev/null
}

key() { # key ID:SECRET ARGS...: curl, signed
	local user=$1
	shift
	curl -sS --max-time 20 --aws-sigv4 "aws:amz:${region:-us-east-1}:s3" -u "$user" \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}
s3() { key "$ID:$SECRET" "$@"; }
status() { "$@" -o "$work/reply" -w '%{http_code}' 2>/dev/null; }
code() { sed -n 's/.*<Code>\([^<]*\)<.*/\1/p' "$work/reply"; }
fault() { curl -sS -X DELETE "$admin/fault" >/dev/null; curl -sS --data-binary "$1" "$admin/fault"; }
nofault() { curl -sS -X DELETE "$admin/fault" >/dev/null; }
md5() { openssl md5 -binary "$1" | base64; }
stat_of() { curl -sS "$admin/stats" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"; }
keys_in() { grep -o '<Key>[^<]*' "$work/reply" | sed 's/<Key>//' | tr '\n' ' '; }

head -c 100000 /dev/urandom >"$work/body"
printf hello >"$work/hello"
etag=$(md5sum <"$work/body" | cut -d' ' -f1)

test_objects() {
	is "$(status s3 -T "$work/body" "$base/bkt/dir/one" -H 'x-amz-meta-colour: blue' \
	    -H 'Content-Encoding: deflate, x' -H 'Content-Type: text/x' \
	    -H 'x-amz-server-side-encryption: AES256' -H 'x-amz-storage-class: STANDARD_IA' \
	    -H "Content-MD5: $(md5 "$work/body")")" 200 "PUT, signed by curl"
	s3 -D "$work/headers" -o "$work/out" "$base/bkt/dir/one"
	cmp -s "$work/body" "$work/out"
	ok $? "GET returns the same bytes"
	local h
	h=$(tr -d '\r' <"$work/headers")
	has "$h" "^ETag: \"$etag\"$" "the ETag is the quoted MD5"
	has "$h" '^x-amz-meta-colour: blue$' "metadata comes back"
	has "$h" '^Content-Encoding: deflate, x$' "Content-Encoding comes back"
	has "$h" '^x-amz-storage-class: STANDARD_IA$' "the storage class comes back"
	has "$h" '^x-amz-server-side-encryption: AES256$' "server-side encryption comes back"
	h=$(s3 -I "$base/bkt/dir/one" | tr -d '\r')
	has "$h" '^HTTP/1.1 200' "HEAD"
	has "$h" '^Content-Length: 100000$' "HEAD tells the length"
	is "$(s3 -r 10-19 "$base/bkt/dir/one" | od -An -tx1)" \
	    "$(tail -c +11 "$work/body" | head -c 10 | od -An -tx1)" "a range is those bytes"
	is "$(status s3 -r 99990- "$base/bkt/dir/one") $(stat -c %s "$work/reply")" "206 10" "an open range"
	is "$(status s3 -r -7 "$base/bkt/dir/one") $(stat -c %s "$work/reply")" "206 7" "a suffix range"
	is "$(status s3 -r 100000- "$base/bkt/dir/one") $(code)" "416 InvalidRange" "a range past the end"
	is "$(status s3 "$base/bkt/none") $(code)" "404 NoSuchKey" "no such key"
	is "$(status s3 "$base/nobucket/none") $(code)" "404 NoSuchBucket" "no such bucket"
	is "$(status s3 -X DELETE "$base/bkt/dir/one")" 204 "DELETE"
	is "$(status s3 -X DELETE "$base/bkt/dir/one")" 204 "DELETE of nothing is 204 too"
	is "$(status s3 -I "$base/bkt/dir/one")" 404 "HEAD after it"
	is "$(status s3 -T "$work/hello" "$base/bkt/a%20b%2Bc")" 200 "an escaped key"
	is "$(curl -sS "$admin/keys/bkt")" "a b+c" "is stored decoded"
	is "$(status s3 -T "$work/hello" -H 'Host: bkt.s3.example' "$base/virtual")" 200 "virtual-host style"
	is "$(curl -sS "$admin/object/bkt/virtual")" hello "is the same bucket"
	is "$(status s3 -H 'Host: other.localhost' "$base/virtual") $(code)" "404 NoSuchBucket" \
	    "another bucket's host"
}

test_conditional() {
	local u=$base/bkt/cond e1 e2
	e1=$(md5sum <"$work/hello" | cut -d' ' -f1)
	e2=$(printf x | md5sum | cut -d' ' -f1)
	is "$(status s3 -T "$work/hello" -H 'If-None-Match: *' "$u")" 200 "If-None-Match: * creates"
	is "$(status s3 -T "$work/hello" -H 'If-None-Match: *' "$u") $(code)" "412 PreconditionFailed" \
	    "and fails when the key is there"
	is "$(status s3 -T "$work/hello" -H "If-Match: \"$e1\"" "$u")" 200 "If-Match, quoted"
	is "$(status s3 -T "$work/hello" -H "If-Match: $e1" "$u")" 200 "If-Match, unquoted"
	is "$(status s3 -T "$work/hello" -H "If-Match: \"$e2\"" "$u") $(code)" "412 PreconditionFailed" \
	    "If-Match, another ETag"
	is "$(status s3 -T "$work/hello" -H "If-Match: \"$e1\"" "$u.none") $(code)" "404 NoSuchKey" \
	    "If-Match, no such key"
	is "$(status s3 -H "If-None-Match: \"$e1\"" "$u")" 304 "GET If-None-Match, same: 304"
	is "$(status s3 -H "If-None-Match: \"$e2\"" "$u")" 200 "GET If-None-Match, other: 200"
	is "$(status s3 -H "If-Match: \"$e2\"" "$u")" 412 "GET If-Match, other: 412"
	is "$(status s3 -H "If-Modified-Since: $(LC_ALL=C date -u '+%a, %d %b %Y %T GMT')" "$u")" 304 \
	    "GET If-Modified-Since now: 304"
}

test_listing() {
	local k
	for k in l/a l/b l/c/1 l/c/2 'l/d&e' l/f; do
		curl -sS -T "$work/hello" "$admin/object/bkt/$k" >/dev/null
	done
	is "$(status s3 "$base/bkt?prefix=l%2F") $(keys_in)" "200 l/a l/b l/c/1 l/c/2 l/d&amp;e l/f " \
	    "list, version 1"
	status s3 "$base/bkt?delimiter=%2F&prefix=l%2F" >/dev/null
	is "$(keys_in)" "l/a l/b l/d&amp;e l/f " "a delimiter hides what is below"
	has "$(cat "$work/reply")" '<CommonPrefixes><Prefix>l/c/</Prefix></CommonPrefixes>' \
	    "and shows the common prefix"
	status s3 "$base/bkt?marker=l%2Fb&max-keys=2&prefix=l%2F" >/dev/null
	is "$(keys_in)" "l/c/1 l/c/2 " "marker and max-keys"
	has "$(cat "$work/reply")" '<IsTruncated>true<' "and it is truncated"
	status s3 "$base/bkt?encoding-type=url&prefix=l%2Fd" >/dev/null
	is "$(keys_in)" "l/d%26e " "encoding-type=url"
	status s3 "$base/bkt?list-type=2&max-keys=3&prefix=l%2F&start-after=l%2Fa" >/dev/null
	is "$(keys_in)" "l/b l/c/1 l/c/2 " "version 2, start-after"
	local token
	token=$(sed -n 's/.*<NextContinuationToken>\([^<]*\).*/\1/p' "$work/reply")
	status s3 "$base/bkt?continuation-token=$token&list-type=2&prefix=l%2F" >/dev/null
	is "$(keys_in)" "l/d&amp;e l/f " "version 2, the next page"
	has "$(cat "$work/reply")" '<KeyCount>2<.*<IsTruncated>false<' "which is the last"
	local marker='' all=''
	for _ in 1 2 3; do
		status s3 "$base/bkt?delimiter=%2F&marker=$marker&max-keys=2&prefix=l%2F" >/dev/null
		all="$all$(grep -oE '<Key>[^<]*|<CommonPrefixes><Prefix>[^<]*' "$work/reply" |
		    sed 's/.*>//' | tr '\n' ' ')"
		marker=$(sed -n 's/.*<NextMarker>\([^<]*\).*/\1/p' "$work/reply" |
		    sed 's/&amp;/%26/g; s,/,%2F,g')
	done
	is "$(tr ' ' '\n' <<<"$all" | sort | xargs)" "l/a l/b l/c/ l/d&amp;e l/f" "pages with a delimiter: each once, none left out"
}

test_bulk() {
	local body='<Delete><Object><Key>l/a</Key></Object><Object><Key>l/d&amp;e</Key></Object>'
	body="$body<Object><Key>none</Key></Object></Delete>"
	printf %s "$body" >"$work/xml"
	is "$(status s3 --data-binary @"$work/xml" "$base/bkt?delete=") $(code)" "400 InvalidRequest" \
	    "bulk delete wants a checksum"
	local put=(-H "Content-MD5: $(md5 "$work/xml")" -H 'Content-Type: application/xml')
	is "$(status s3 "${put[@]}" --data-binary @"$work/xml" "$base/bkt?delete=")" 200 "bulk delete"
	is "$(keys_in)" "l/a l/d&amp;e none " "names what it deleted"
	is "$(curl -sS "$admin/keys/bkt?prefix=l/" | tr '\n' ' ')" "l/b l/c/1 l/c/2 l/f " "and did"
	sed 's/<Delete>/&<Quiet>true<\/Quiet>/' "$work/xml" >"$work/quiet"
	put=(-H "Content-MD5: $(md5 "$work/quiet")")
	status s3 "${put[@]}" --data-binary @"$work/quiet" "$base/bkt?delete=" >/dev/null
	is "$(keys_in)" "" "Quiet says nothing"
	fault bulk:partial >/dev/null
	status s3 "${put[@]}" --data-binary @"$work/quiet" "$base/bkt?delete=" >/dev/null
	has "$(cat "$work/reply")" '<Error><Key>l/d&amp;e</Key><Code>InternalError' "bulk:partial"
	nofault
	printf '<Delete><Object>' >"$work/xml"
	is "$(status s3 -H "Content-MD5: $(md5 "$work/xml")" --data-binary @"$work/xml" \
	    "$base/bkt?delete=") $(code)" "400 MalformedXML" "half a document"
}

test_copy() {
	s3 -T "$work/hello" -H 'x-amz-meta-k: v' "$base/bkt/from" >/dev/null
	is "$(status s3 -X PUT -H 'Content-Length: 0' -H 'x-amz-copy-source: /bkt/from' "$base/bkt/to")" 200 "COPY"
	has "$(curl -sSi "$admin/object/bkt/to")" 'x-amz-meta-k: v' "with the metadata"
	s3 -X PUT -H 'x-amz-copy-source: bkt/from' -H 'x-amz-metadata-directive: REPLACE' \
	    -H 'x-amz-meta-k: w' "$base/bkt/to" >/dev/null
	has "$(curl -sSi "$admin/object/bkt/to")" 'x-amz-meta-k: w' "REPLACE replaces it"
	is "$(status s3 -X PUT -H 'x-amz-copy-source: /bkt/nothing' "$base/bkt/to") $(code)" "404 NoSuchKey" \
	    "nothing to copy"
}

test_signatures() {
	local before
	before=$(stat_of signature_failures)
	is "$(status key "$ID:wrong" "$base/bkt/to") $(code)" "403 SignatureDoesNotMatch" "a wrong secret"
	is "$(status key "NOBODY:$SECRET" "$base/bkt/to") $(code)" "403 InvalidAccessKeyId" "an unknown id"
	is "$(status curl -sS "$base/bkt/to") $(code)" "403 AccessDenied" "no signature"
	is "$(region=eu-west-1 status s3 "$base/bkt/to") $(code)" "400 AuthorizationHeaderMalformed" \
	    "another region"
	has "$(cat "$work/reply")" '<Region>us-east-1</Region>' "is told the right one"
	is "$(status s3 -H 'x-amz-date: 20200101T000000Z' "$base/bkt/to") $(code)" \
	    "403 RequestTimeTooSkewed" "an old date"
	has "$(cat "$work/reply")" '<ServerTime>20..-..-..T' "is told the time"
	is "$(status key TEMP:SECRET "$base/bkt/to") $(code)" "403 InvalidAccessKeyId" \
	    "temporary credentials without their token"
	is "$(status key TEMP:SECRET -H 'x-amz-security-token: TOKEN' "$base/bkt/to")" 200 "with it"
	is "$(status key TEMP:SECRET -H 'x-amz-security-token: NOKEN' "$base/bkt/to") $(code)" \
	    "400 InvalidToken" "with another"
	is "$(($(stat_of signature_failures) - before))" 7 "each failure is counted"
	is "$(status s3 -T "$work/hello" -H "Content-MD5: $(md5 "$work/body")" "$base/bkt/x") $(code)" \
	    "400 BadDigest" "a wrong Content-MD5"
	is "$(status s3 -T "$work/hello" -H 'Content-MD5: x' "$base/bkt/x") $(code)" \
	    "400 InvalidDigest" "no Content-MD5 at all"
	is "$(status s3 -T "$work/hello" -H 'x-amz-checksum-crc32c: mnG7TA==' "$base/bkt/x")" 200 \
	    "a right CRC-32C"
	is "$(status s3 -T "$work/hello" -H 'x-amz-checksum-crc32: NhCmhg==' "$base/bkt/x")" 200 \
	    "a right CRC-32"
	is "$(status s3 -T "$work/hello" -H 'x-amz-checksum-crc32c: NhCmhg==' "$base/bkt/x") $(code)" \
	    "400 BadDigest" "a wrong one"
	local sha=(curl -sS --max-time 20 --aws-sigv4 aws:amz:us-east-1:s3 -u "$ID:$SECRET")
	is "$(status "${sha[@]}" -T "$work/hello" "$base/bkt/x" \
	    -H "x-amz-content-sha256: $(sha256sum <"$work/hello" | cut -d' ' -f1)")" 200 "a signed payload"
	is "$(status "${sha[@]}" -T "$work/hello" "$base/bkt/x" \
	    -H "x-amz-content-sha256: $(sha256sum <"$work/body" | cut -d' ' -f1)") $(code)" \
	    "400 XAmzContentSHA256Mismatch" "a payload that was not the one signed"
	local date string sig
	date=$(LC_ALL=C date -u '+%a, %d %b %Y %T GMT')
	string="GET\n\n\n$date\n/bkt/to"
	sig=$(printf %b "$string" | openssl dgst -sha1 -hmac "$SECRET" -binary | base64)
	is "$(status curl -sS -H "Date: $date" -H "Authorization: AWS $ID:$sig" "$base/bkt/to")" 200 \
	    "version 2, signed by openssl"
	sig=$(tr 'A-Za-z' 'B-ZAb-za' <<<"$sig") # another in each place: one letter might be the same
	is "$(status curl -sS -H "Date: $date" -H "Authorization: AWS $ID:$sig" "$base/bkt/to") $(code)" \
	    "403 SignatureDoesNotMatch" "version 2, spoiled"
}

test_faults() {
	local u=$base/bkt/dir/two r
	curl -sS -T "$work/body" "$admin/object/bkt/dir/two" >/dev/null
	fault put:503:nth=2:retry-after=7 >/dev/null
	is "$(status s3 -T "$work/hello" "$base/bkt/y") $(status s3 -D "$work/headers" -T "$work/hello" \
	    "$base/bkt/y") $(code) $(status s3 -T "$work/hello" "$base/bkt/y")" "200 503 SlowDown 200" \
	    "put:503:nth=2"
	has "$(cat "$work/headers")" '^Retry-After: 7' "retry-after=7"
	fault any:403=ExpiredToken >/dev/null
	is "$(status s3 "$u") $(code)" "403 ExpiredToken" "any:403=ExpiredToken"
	fault get:reset >/dev/null
	s3 "$u" >/dev/null 2>&1
	is $? 56 "get:reset: the connection is reset"
	fault get:reset=body >/dev/null
	s3 -o "$work/out" "$u" 2>/dev/null
	is $? 56 "get:reset=body: reset in the body"
	fault get:truncate=100 >/dev/null
	s3 -o "$work/out" "$u" 2>/dev/null
	is "$? $(stat -c %s "$work/out")" "18 100" "get:truncate=100: a hundred bytes, then the end"
	fault get:short >/dev/null
	s3 -o "$work/out" "$u"
	is "$? $(stat -c %s "$work/out")" "0 50000" "get:short: half, and nobody can tell"
	fault get:garbage >/dev/null
	s3 -D "$work/headers" -o "$work/out" "$u"
	is "$(stat -c %s "$work/out")" 100000 "get:garbage: the right length"
	! cmp -s "$work/body" "$work/out" && grep -q "$etag" "$work/headers"
	ok $? "the right ETag, other bytes"
	fault get:wronglength=-1 >/dev/null
	s3 -o "$work/out" "$u" 2>/dev/null
	is "$? $(stat -c %s "$work/out")" "0 99999" "get:wronglength=-1"
	fault get:wronglength=1 >/dev/null
	s3 --max-time 1 -o "$work/out" "$u" 2>/dev/null
	is "$? $(stat -c %s "$work/out")" "28 100000" "get:wronglength: a byte that never comes"
	fault get:etag=bad >/dev/null
	r=$(s3 -I -X GET "$u" --max-time 5 2>/dev/null)
	! grep -q "$etag" <<<"$r" && grep -qE '^ETag: "[0-9a-f]{32}"' <<<"$r"
	ok $? "get:etag=bad"
	fault put:200error >/dev/null
	is "$(status s3 -T "$work/body" "$base/bkt/y") $(code) $(curl -sS "$admin/object/bkt/y")" \
	    "200 InternalError hello" "put:200error: an error with status 200, nothing stored"
	fault get:stall=300ms >/dev/null
	r=$(s3 -o /dev/null -w '%{time_starttransfer}' "$u")
	ok "$(awk "BEGIN { print !($r >= 0.3 && $r < 3) }")" "get:stall=300ms ($r s)"
	fault get:slow=400kB/s >/dev/null
	r=$(s3 -o "$work/out" -w '%{time_total}' "$u")
	ok "$(awk "BEGIN { print !($r >= 0.2 && $r < 3) }")" "get:slow=400kB/s takes a quarter second ($r s)"
	cmp -s "$work/body" "$work/out"
	ok $? "and is whole"
	fault get:stallbody=300ms >/dev/null
	r=$(s3 -o "$work/out" -w '%{time_total}' "$u")
	cmp -s "$work/body" "$work/out"
	ok "$(($? + $(awk "BEGIN { print !($r >= 0.3 && $r < 3) }")))" "get:stallbody=300ms ($r s)"
	fault any:skew=3600s >/dev/null
	is "$(status s3 "$u") $(code)" "403 RequestTimeTooSkewed" "any:skew=3600s"
	has "$(s3 -I "$u")" "^Date: .* $(date -u -d '+1 hour' +%H):" "whose Date header is off as well"
	fault put:reset=after >/dev/null
	s3 -T "$work/body" "$base/bkt/z" >/dev/null 2>&1
	is "$? $(curl -sS "$admin/object/bkt/z" | md5sum | cut -d' ' -f1)" "56 $etag" \
	    "put:reset=after: stored, not answered"
	fault put:garbage >/dev/null
	s3 -T "$work/body" "$base/bkt/z" -D "$work/headers"
	curl -sS "$admin/object/bkt/z" -o "$work/out"
	! cmp -s "$work/body" "$work/out" && grep -q "$etag" "$work/headers"
	ok $? "put:garbage: stored damaged, answered well"
	fault put:503:early >/dev/null
	is "$(status s3 -H 'Expect: 100-continue' -T "$work/body" "$base/bkt/z")" 503 "put:503:early"
	fault put:late=1s >/dev/null
	curl -sS -T "$work/hello" "$admin/object/bkt/late" >/dev/null
	s3 --max-time 0.3 -T "$work/body" "$base/bkt/late" >/dev/null 2>&1
	is "$? $(curl -sS "$admin/object/bkt/late")" "28 hello" "put:late: the client gives up first"
	for r in $(seq 300); do
		[ "$(curl -sS "$admin/object/bkt/late" | md5sum | cut -d' ' -f1)" = "$etag" ] && break
		sleep 0.02
	done
	is "$(curl -sS "$admin/object/bkt/late" | md5sum | cut -d' ' -f1)" "$etag" "then it is stored"
	fault get:stale:count=1 >/dev/null
	curl -sS -T "$work/hello" "$admin/object/bkt/st" >/dev/null
	curl -sS -T "$work/body" "$admin/object/bkt/st" >/dev/null
	is "$(s3 "$base/bkt/st")" hello "get:stale: the previous version"
	is "$(s3 "$base/bkt/st" | md5sum | cut -d' ' -f1)" "$etag" "and then this one"
	fault any:refuse:count=1 >/dev/null
	s3 "$u" -o /dev/null 2>/dev/null
	is "$? $(status s3 "$u")" "52 200" "any:refuse:count=1"
	nofault
	is "$(status curl -sS --data-binary get:nonsense "$admin/fault")" 400 "a bad rule is refused"
}

test_admin() {
	local n r
	curl -sS -X DELETE "$admin/stats" >/dev/null
	n=$(curl -sS "$admin/log" | tail -1 | cut -d' ' -f1)
	s3 -o /dev/null "$base/bkt/dir/two"
	s3 -o /dev/null "$base/bkt/none"
	is "$(stat_of get) $(stat_of errors) $(stat_of bytes_out | grep -c '^100[0-9]*$') $(stat_of in_flight)" \
	    "2 1 1 0" "counters"
	r=$(curl -sS "$admin/log?since=$n" | cut -d' ' -f3-9)
	is "$(tr '\n' '|' <<<"$r" | sed 's/ 404 0 [0-9]*/ 404 0 N/')" \
	    "GET /bkt/dir/two - 200 0 100000 dir/two|GET /bkt/none - 404 0 N none|" "log lines since N"
	is "$(tail -2 "$work/log" | cut -d' ' -f2-8)" "$r" "and the same in the log file"
	curl -sS -X POST "$admin/latency?ms=150" >/dev/null
	r=$(s3 -o /dev/null -w '%{time_starttransfer}' "$base/bkt/dir/two")
	ok "$(awk "BEGIN { print !($r >= 0.15 && $r < 2) }")" "latency ($r s)"
	curl -sS -X POST "$admin/latency?ms=0" >/dev/null
	curl -sS -X POST "$admin/bandwidth?down=400k&up=400k" >/dev/null
	r=$(s3 -o "$work/out" -w '%{time_total}' "$base/bkt/dir/two")
	ok "$(awk "BEGIN { print !($r >= 0.2 && $r < 2) }")" "bandwidth down ($r s)"
	r=$(s3 -o /dev/null -w '%{time_total}' -T "$work/body" "$base/bkt/up")
	ok "$(awk "BEGIN { print !($r >= 0.2 && $r < 2) }")" "bandwidth up ($r s)"
	curl -sS -X POST "$admin/bandwidth?down=0&up=0" >/dev/null
	is "$(curl -sS -d NEW:KEY "$admin/credential") $(status key NEW:KEY "$base/bkt/up")" "ok 200" \
	    "a credential added"
	curl -sS -X DELETE "$admin/credential?id=NEW" >/dev/null
	is "$(status key NEW:KEY "$base/bkt/up")" 403 "and removed"
	is "$(status s3 -X PUT "$base/second") $(status s3 -I "$base/second") $(status s3 -I "$base/third")" \
	    "200 200 404" "buckets: PUT and HEAD"
	status s3 "$base/bkt?location=" >/dev/null
	has "$(cat "$work/reply")" '<LocationConstraint' "location"
}

start --access-key "$ID:$SECRET" --access-key TEMP:SECRET:TOKEN --log "$work/log"
test_objects
test_conditional
test_listing
test_bulk
test_copy
test_signatures
test_faults
test_admin
stop
ok $? "it ends when told to"

start --anonymous --no-conditional-put --dir "$work/store" --region eu-west-1 --redirect-region
is "$(status curl -sS -T "$work/body" -H 'x-amz-meta-k: a b' "$base/bkt/x/y%20z")" 200 "in a directory, unsigned"
curl -sS -T "$work/hello" "$base/bkt/x/y%20z.2" >/dev/null
is "$(status curl -sS -T "$work/body" -H 'x-amz-meta-k: a b' -H 'If-None-Match: *' "$base/bkt/x/y%20z")" 200 \
    "--no-conditional-put ignores the condition"
is "$(status s3 "$base/bkt/x/y") $(code)" "403 InvalidAccessKeyId" "a signature is checked all the same"
kill -9 "$server"
wait "$server" 2>/dev/null
touch "$work/store/bkt/orphan.1-1"
start --access-key "$ID:$SECRET" --conditional-put=501 --dir "$work/store" --region eu-west-1 --redirect-region
is "$(curl -sS "$admin/keys/bkt" | tr '\n' '|')" "x/y z|x/y z.2|" "objects survive kill -9"
region=eu-west-1
s3 -D "$work/headers" -o "$work/out" "$base/bkt/x/y%20z"
cmp -s "$work/body" "$work/out" && grep -q '^x-amz-meta-k: a b' "$work/headers" &&
    grep -q "$etag" "$work/headers"
ok $? "with content, ETag and metadata"
is "$(find "$work/store/bkt" -type f | wc -l)" 4 "two files each, no orphans"
is "$(status s3 -T "$work/body" -H 'If-None-Match: *' "$base/bkt/n") $(code)" "501 NotImplemented" \
    "--conditional-put=501"
unset region
is "$(status s3 -D "$work/headers" "$base/bkt/n") $(code)" "301 PermanentRedirect" "--redirect-region"
has "$(cat "$work/headers")" '^x-amz-bucket-region: eu-west-1' "says which region"
stop

start --access-key "$ID:$SECRET" --tls "$work/tls" --latency 20 --etag=fast --admin-port 0 \
    --admin-port-file "$work/admin"
base=https://127.0.0.1:$port admin=http://127.0.0.1:$(cat "$work/admin")/_s3testd
is "$(status s3 --cacert "$work/tls/cert.pem" -T "$work/body" "$base/bkt/t")" 200 "PUT over TLS"
s3 --cacert "$work/tls/cert.pem" -o "$work/out" "$base/bkt/t"
cmp -s "$work/body" "$work/out"
ok $? "GET over TLS, the certificate verified"
curl -sS "$base/bkt/t" >/dev/null 2>&1
is $? 60 "an unknown certificate to everyone else"
fault any:refuse >/dev/null
s3 --cacert "$work/tls/cert.pem" -o "$work/out" "$base/bkt/t" 2>/dev/null
[ $? != 0 ] && nofault && [ "$(status s3 --cacert "$work/tls/cert.pem" "$base/bkt/t")" = 200 ]
ok $? "refuse for all, lifted through the admin port"
stop

start --anonymous --latency 100 --threads 2
head -c 4096 "$work/body" >"$work/small"
curl -sS -T "$work/small" "$admin/object/bkt/k" >/dev/null
curl -sS --parallel --parallel-immediate --parallel-max 300 -o "$work/many.#1" "$base/bkt/k?[1-300]" 2>/dev/null
is "$(stat_of get) $(stat_of status_2xx)" "300 300" "three hundred at once"
r=$(stat_of peak_in_flight)
ok $((r < 100)) "$r of them in flight together, on two threads"
stop

"$S3TESTD" --help | grep -q 'put:503:nth=3'
ok $? "--help explains the rules"
"$S3TESTD" --port 0 2>/dev/null
is $? 2 "without a key and without --anonymous it does not start"
echo "1..$count"
exit $((failed > 0))
