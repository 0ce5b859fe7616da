# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# real.sh: what lib.sh does when S3B_SERVER names the env file of a real server: the same tests, in a
# sub-directory of its bucket that no other test has.  There are no faults, no latency and no log of
# requests then; a test that needs them is not among those that are run here.
#
# S3B_TLS=1 takes the TLS port.

# shellcheck source=/dev/null
. "$S3B_SERVER"
space=$(basename "$work" | tr -dc 'A-Za-z0-9')
ID=$S3_ID SECRET=$S3_SECRET
if [ "${S3B_TLS:-}" ]; then url=$S3_TLS_URL; else url=$S3_URL; fi

eval "$(declare -f write_conf | sed '1s/write_conf/write_our_conf/')"
write_conf() {
	write_our_conf "$@"
	sed -i "s,^bucket = bkt,&/$space," "$conf"
	[ -z "${S3B_TLS:-}" ] || ! grep -q ^baseURL "$conf" || echo "cacert = $S3_CACERT" >>"$conf"
}
start_server() { server_pid=real; }
latency() { :; }
no_fault() { :; }
# What the store has refused stands in our log.
server_stats() {
	case $1 in
	signature_failures) grep -c SignatureDoesNotMatch "$run/log" ;;
	*) echo "no figure $1 of a real server" ;;
	esac
}
fault() { ok 1 "no faults to be had: this test is not for real servers"; }

s3() { # s3 METHOD PATH [CURL OPTIONS]: of the bucket
	curl -sS --noproxy '*' --max-time 60 -X "$1" --aws-sigv4 aws:amz:us-east-1:s3 --user "$ID:$SECRET" \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "${@:3}" "$S3_URL/$S3_BUCKET$2"
}
escape() { jq -rn --arg s "$1" '$s | @uri'; } # this curl signs the query as it stands
server_keys() { # the names below our directory, PREFIX taken as the tests know it
	local after= page
	while :; do
		page=$(s3 GET "/?list-type=2&prefix=$(escape "$space/${1:-}")${after:+&start-after=$(escape "$after")}")
		grep -o '<Key>[^<]*' <<<"$page" | cut -c6- | sed "s,^$space/,,"
		grep -q '<IsTruncated>true' <<<"$page" || break
		after=$(grep -o '<Key>[^<]*' <<<"$page" | tail -n 1 | cut -c6-)
	done | LC_ALL=C sort
}
object() {
	case $store in
	s3) s3 GET "/$space/$1" --fail ;;
	dir) cat "$work/bucket/$1" ;;
	esac
}
