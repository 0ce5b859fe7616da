#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Who the roles run as, and what they may: user = for those that face the kernel and the network,
# no capabilities and no way to new ones for all; no key in anybody's command line or environment.

LIMIT=120
. "$(dirname "$0")/lib.sh"

of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(role_pid "$1")/status"; } # of ROLE FIELD
open_files() { ls -l "/proc/$(role_pid "$1")/fd" | sed 's/.* -> //'; }

store s3
chmod 711 "$work"
export AWS_SECRET_ACCESS_KEY=environment-secret MY_KEY=$SECRET
write_conf user=nobody accessKey= accessKeyEnv=MY_KEY blockCacheFile="$work/cache" blockCacheSize=64
must_start
put "$file" 0 100000 x
ok $? "write as usual"
uid=$(id -u nobody)

# Not the first thread alone: of all of them, the values of FIELD that there are.
of_threads() { cat "/proc/$(role_pid "$1")/task"/*/status | sed -n "s/^$2:[[:space:]]*//p" | sort -u; }
net_of() { readlink "/proc/$1/ns/net"; }
filtered=2
case ${S3B_VARIANT:-} in *address* | *thread* | *coverage*) filtered=0 ;; esac

check_threads() {
	local role
	for role in frontend cachemgr uploader.0; do
		is "$(of_threads $role CapEff) $(of_threads $role CapPrm)" "0000000000000000 0000000000000000" \
		    "$role: no thread has capabilities${1:-}"
		is "$(of_threads $role NoNewPrivs)" 1 "$role: no thread gets new privileges${1:-}"
		is "$(of_threads $role Seccomp)" "$filtered" "$role: all threads have the filter of system calls${1:-}"
		is "$(awk '/core file/ { print $5, $6 }' "/proc/$(role_pid $role)/limits")" "0 0" \
		    "$role: no core file${1:-}"
	done
	for role in frontend cachemgr; do
		[ "$(net_of "$(role_pid $role)")" != "$(net_of self)" ]
		ok $? "$role: a network of its own, without devices${1:-}"
		is "$(tail -n +3 "/proc/$(role_pid $role)/net/dev" | grep -cv 'lo:')" 0 "$role: no way out${1:-}"
	done
}

check_roles() {
	local role
	for role in frontend cachemgr uploader.0; do
		is "$(of $role CapEff) $(of $role CapPrm) $(of $role CapBnd)" \
		    "0000000000000000 0000000000000000 0000000000000000" "$role: no capabilities${1:-}"
		is "$(of $role NoNewPrivs)" 1 "$role: no new privileges${1:-}"
	done
	for role in frontend uploader.0; do
		is "$(of $role Uid | tr '\t' ' ')" "$uid $uid $uid $uid" "$role: user${1:-}"
		is "$(of $role Groups | tr -d ' ')" "" "$role: no other groups${1:-}"
	done
	is "$(of cachemgr Uid | cut -f2)" 0 "cachemgr: owner of the cache file${1:-}"
}
check_roles
check_threads

for p in $(disk_pids); do
	tr '\0' '\n' <"/proc/$p/cmdline"
	tr '\0' '\n' <"/proc/$p/environ" | grep -v '^MY_KEY='
done >seen
is "$(grep -cF "$SECRET" seen)" 0 "the key is in no command line and no environment"
for role in frontend cachemgr; do
	is "$(tr '\0' '\n' <"/proc/$(role_pid $role)/environ" | grep -cE '^(MY_KEY|AWS_)')" 0 \
	    "$role: no variable of the credentials"
done
is "$(tr '\0' '\n' <"/proc/$(role_pid uploader.0)/environ" | grep -c '^MY_KEY')" 0 \
    "uploader: the variable that held the key is not passed on"
is "$(grep -rcF "$SECRET" "$run/log")" 0 "nor is it in the log"
is "$(open_files uploader.0 | grep -c /dev/fuse)" 0 "uploader: has no /dev/fuse"
is "$(open_files frontend | grep -cE 'socket' )" 1 "frontend: one socket, to s3backerd"
is "$(open_files cachemgr | grep -cE 'socket' )" 1 "cachemgr: likewise"

# The second life of a role is confined as the first.
is_new() { local p; p=$(role_pid "$1"); [ -n "$p" ] && [ "$p" != 0 ] && [ "$p" != "$2" ]; }
for role in frontend cachemgr uploader.0; do
	pid=$(role_pid $role)
	kill -KILL "$pid"
	wait_for 10 is_new "$role" "$pid"
	ok $? "$role: killed, there is a new one"
done
is "$(get "$file" 0 100000 | sum)" "$(sum <put.tmp)" "which serves"
check_roles ", second life"
check_threads ", second life"
stop_disk
ok $? "stop"
done_testing
