#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Each role, confined and at work, tries what a taken-over process would try (common/breakout.c): the
# network, files of others, its siblings, the cache table, more rights.  The kernel refuses, and the
# disk works on.  The lines below are the table: what is allowed to whom, and nothing else.

LIMIT=120 NEEDS="root fuse inject"
. "$(dirname "$0")/lib.sh"

case $S3B_VARIANT in *address* | *thread* | *coverage*) skip_all "an instrumented program has more to do" ;; esac

store s3
chmod 711 "$work"
mkdir bucket
echo secret >others && chmod 644 others && mkdir -m 777 open && : >open/to-all && chmod 666 open/to-all
sleep 300 &
stranger=$!
on_exit stop_pid $stranger sleep

log_of() { grep -h "$1: breakout: " "$run/log" | sed 's/.*breakout: //'; }
ended() { log_of "$1" | grep -qx ends; }
# What may go well; `names`: is a socket pair for the resolver and a list of our own addresses.
may() {
	case $1 in
	uploader.0) echo "socket-inet-stream socket-inet-datagram socket-inet6-stream socket-netlink" ;;
	esac
}

check() { # check ROLE HOW
	local name result n=0 got
	wait_for 20 ended "$1"
	ok $? "$1$2: has tried"
	while read -r name result; do
		case $result in result=*) ;; *) continue ;; esac
		n=$((n + 1))
		got=${result#result=}
		case " $(may "$1") " in
		*" $name "*) case $got in done | EAFNOSUPPORT) got=may ;; esac
			is "$got" may "$1$2: $name: its work" ;;
		*) case $got in EPERM | EACCES | ENOSYS) got=refused ;; esac
			[ "$name $got" != "read-dev-mem ENOENT" ] || got=refused # not every machine has it
			is "$got" refused "$1$2: $name: refused ($result)" ;;
		esac
	done < <(log_of "$1")
	[ "$n" -ge 50 ]
	ok $? "$1$2: $n attempts"
}

round() { # round HOW KEY=VALUE...
	local how=$1
	shift
	write_conf blockCacheFile="$work/cache" blockCacheSize=64 "$@"
	cache_table=$work/cache
	export S3B_INJECT="breakout.frontend:fail,breakout.cachemgr:fail,breakout.uploader.0:fail"
	export S3B_BREAKOUT="file=$cache_table file=$work/others file=$work/open/to-all pid=$$ pid=$stranger"
	: >"$run/log"
	must_start
	check frontend "$how"
	check cachemgr "$how"
	check uploader.0 "$how"
	put "$file" 0 300000 "$how"
	ok $? "$how: the disk is written"
	is "$(get "$file" 0 300000 | sum)" "$(sum <put.tmp)" "$how: and read"
	stop_disk
	ok $? "$how: stop"
	empty_cache
}

round "" user=
round ", as nobody" user=nobody
round ", directory" bucket="file://$work/bucket" baseURL= accessId= accessKey=
is "$(cat others; ls open)" "secret
to-all" "nothing was changed"
done_testing
