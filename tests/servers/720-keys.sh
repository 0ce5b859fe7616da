#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Wrong keys, as somebody else's server says it: one clear line, exit 1, nothing left.

LIMIT=120
. "$(dirname "$0")/../e2e/lib.sh"

fails() { # fails REGEX sentence
	local out
	out=$(timeout 60 s3backerd -c "$conf" start 2>&1 </dev/null)
	is $? 1 "$2: exit 1"
	is "$(grep -c . <<<"$out")" 1 "$2: one line" || sed 's/^/# /' <<<"$out" >&2
	has "$out" "$1" "$2: which says what is wrong"
	nothing_left "$2: nothing is left"
}

store s3
write_conf accessKey=wrong
fails 'accessKey|SignatureDoesNotMatch' "a wrong secret"
write_conf accessId=AKIDNOBODY
fails 'accessId|InvalidAccessKeyId|AccessDenied|SignatureDoesNotMatch' "an unknown key"
write_conf bucket=no-such-bucket-here
fails 'no-such-bucket-here|NoSuchBucket' "a bucket that is not there"
write_conf accessId="$S3_ID2" accessKey="$S3_SECRET2"
fails 'AccessDenied|no bucket' "somebody else's bucket"
write_conf region=eu-central-1 size=16m
start_disk
ok $? "a region that the server does not have: it says which it is" || disk_log
stop_disk
done_testing
