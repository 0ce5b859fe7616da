#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Where the bucket is, when the configuration does not say it right: region and addressing style are found
# out, reported, and handed to all processes; and http:// gets no keys that were not meant for it.

LIMIT=90
. "$(dirname "$0")/lib.sh"

store() { store=s3; }
found() { # found REGION STYLE sentence: after a start whose output is in start.out
	has "$(cat start.out)" "found in region $1, its name in the .*region = $1 and" "$3: said at the start"
	is "$(status disk.region) $(status disk.addressing)" "$1 $2" "$3: status shows it"
	mark=$(server_mark)
	put "$file" 0 65536 "$3"
	quietly ctl flush
	is "$(server_log "$mark" | awk '$6 >= 300 && $6 < 500 && $6 != 404' | wc -l)" 0 "$3: no detour afterwards"
	stop_disk
}
begin() {
	store s3
	write_conf size=1m blockSize=64k "$@"
	s3backerd -c "$conf" start >start.out 2>&1 || {
		cat start.out >&2
		ok 1 "the disk starts"
		done_testing
	}
}

start_server --region eu-west-9 --redirect-region
begin
found eu-west-9 path "a redirect with the region"
begin region=eu-west-9 no-vhost=yes
is "$(grep -c 'found in region' start.out)" 0 "who sets it hears nothing"
is "$(status disk.region)" null "nor does the status"
stop_disk
stop_server
start_server --region eu-west-9
begin region=us-west-1 no-vhost=yes
found eu-west-9 path "400 with the region"
stop_server

start_server
begin baseURL="http://localhost:$port/"
is "$(status disk.addressing)" null "as configured: nothing is said"
stop_disk
fault 'any:403=SecondLevelDomainForbidden:count=1'
begin baseURL="http://localhost:$port/"
no_fault
found us-east-1 vhost "a store that wants the bucket in the host name"
has "$(server_log "$mark")" 'PUT .* host=bkt\.localhost:' "and gets it there"
fault 'any:403=SecondLevelDomainForbidden:count=3'
write_conf size=1m blockSize=64k baseURL="http://localhost:$port/" no-vhost=yes
s3backerd -c "$conf" start >start.out 2>&1
is $? 1 "no-vhost: what the user says stays"
no_fault

# ---- certificates and dots, http:// and keys: no network is asked -------------------------------------------
check() { # check KEY=VALUE...: output in check.out
	local kv
	printf '%s\n' bucket=abc mountPoint=/mnt size=1m >check.conf
	for kv; do echo "$kv"; done >>check.conf
	chmod 600 check.conf
	s3backerd -c check.conf check-config >check.out 2>&1
}
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_PROFILE
mkdir -p home && export HOME=$work/home
check baseURL=https://s3.example.com/ region=eu-1 bucket=my.dotted.bucket accessId=A accessKey=B
is "$?$(grep -c 'does not match the certificate' check.out)" 00 \
    "a bucket with dots over TLS: region does not put it into the host name"
check baseURL=https://s3.example.com/ vhost=yes bucket=my.dotted.bucket accessId=A accessKey=B
has "$(cat check.out)" 'does not match the certificate' "vhost does, with a warning"
keyed="accessId=A accessKey=B"
# shellcheck disable=SC2086 # two words
check baseURL=http://s3.example.com/ $keyed
is $? 0 "http:// with keys of this disk, as the old program's users have it: accepted"
has "$(cat check.out)" 'not encrypted on the way' "with a warning"
check baseURL=http://s3.example.com/
is $? 1 "http:// with whatever keys may be found: refused"
has "$(cat check.out)" 'check.conf:[0-9]+: baseURL: keys of .* are not used over http://.*ssl = no' "and said how to go on"
check baseURL=http://s3.example.com/ profile=backup
has "$?$(cat check.out)" '1.*check.conf:[0-9]+: profile: .*http://' "http:// with a profile: refused"
check baseURL=http://s3.example.com/ profile=backup ssl=no
is $? 0 "asked for with ssl = no: accepted"
check baseURL=http://s3.example.com/ accessId=
is $? 0 "anonymous: accepted"
check baseURL=http://127.0.0.1:9000/ profile=backup
is $? 0 "on this machine: accepted"
check baseURL=https://s3.example.com/ profile=backup
is $? 0 "https: accepted"
check ssl=no profile=backup
is $? 0 "AWS without TLS, asked for: accepted"
echo A:B >home/.s3backer_passwd && chmod 600 home/.s3backer_passwd
check baseURL=http://s3.example.com/
is $? 0 "http:// with the old program's file of keys: accepted"
done_testing
