#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Where secret keys are: in the uploaders and in the vault of s3backerd, in memory that no core file
# has.  Not in the other roles, the segment, the log, the status, a command line or an environment.

LIMIT=120 NEEDS="fuse perl"
. "$(dirname "$0")/lib.sh"
memgrep=$root/tests/e2e/memgrep
case ${S3B_VARIANT:-} in *address* | *thread*) skip_all "sanitizers have terabytes of memory, and keep what was freed" ;; esac

# Read from where it is, so that no command line of the test has it.
seen_in() { "$memgrep" "$1" "$2" | sed 's/^[0-9a-f-]* //' | sort -u; }
kids() { pgrep -P "$1"; }

check() { # check SECRET WHAT [also]: also what goes over the network as it is
	local secret=$1 what=$2 p
	for p in frontend cachemgr; do
		is "$(seen_in "$(role_pid $p)" "$secret")" "" "$what: not in the memory of $p, segment and all"
	done
	for p in $(disk_pids); do
		[ "${3:-}" ] || is "$(seen_in "$p" "$secret" | grep -w dumped)" "" \
		    "$what: no core file of $(tr -d '\0' <"/proc/$p/comm") has it"
	done
	cat "$run/log" "$mnt/stats" >seen 2>/dev/null
	{ s3backerd -c "$conf" check-config; s3backerd -c "$conf" status; status_json; ctl status; ctl metrics; } >>seen 2>&1
	for p in $(disk_pids) $(kids "$(role_pid uploader.0)"); do
		cat "/proc/$p/cmdline" "/proc/$p/environ" | tr '\0' '\n'
	done >>seen
	is "$(grep -cF -- "$secret" seen)" 0 "$what: not in log, status, metrics, check-config, arguments, environments"
}

store s3
password=correct-horse-battery
write_conf accessKey="$SECRET" encrypt=yes password="$password" uploaders=1 logLevel=debug debug=yes debug-http=yes
must_start
put "$file" 0 200000 x
ctl flush >/dev/null
ok $? "a disk that is in use"
check "$SECRET" "accessKey"
check "$password" "password"
has "$(seen_in "$(role_pid uploader.0)" "$SECRET")" "undumped" "the uploader has the key: the search works"
stop_disk

# Temporary keys of the environment, over a restart, and of a role.
adm --data-binary "ENVID:env+secret/0123456789:env/token/0123456789" "$admin/credential" >/dev/null
write_conf env accessId= accessKey= uploaders=1 prefix=env- logLevel=debug debug=yes debug-http=yes
use_disk env
quietly env AWS_ACCESS_KEY_ID=ENVID AWS_SECRET_ACCESS_KEY=env+secret/0123456789 \
    AWS_SESSION_TOKEN=env/token/0123456789 s3backerd -c "$conf" start
ok $? "keys in the environment"
put "$file" 0 100000 x
check "env+secret/0123456789" "environment"
quietly s3backerd -c "$conf" restart
ok $? "restart, from an environment without them"
put "$file" 200000 100000 x
ctl flush >/dev/null
ok $? "they are still there"
check "env+secret/0123456789" "environment, after a restart"
has "$(grep -c 'source="environment" id=ENVID' "$run/log")" "^[2-9]" "the log says where they are from"
stop_disk

export AWS_CONTAINER_CREDENTIALS_FULL_URI=$url/_aws/container/x
write_conf role accessId= accessKey= uploaders=1 prefix=role- logLevel=debug debug=yes debug-http=yes
use_disk role
must_start
put "$file" 0 100000 x
ctl flush >/dev/null
check "secret+of/" "role"
check "session//token+" "session token" also
stop_disk
done_testing
