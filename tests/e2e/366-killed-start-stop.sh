#!/bin/bash
# SPDX-License-Identifier: ISC
#
# s3backerd, or everything, is killed at some moment of `start` and of `stop`: what was flushed is there,
# and the next `start` works, whatever was left lying about.
#
#	ROUNDS=N SEED=N tests/e2e/366-killed-start-stop.sh	more, or the same again

LIMIT=$((120 + ${ROUNDS:-3} * 30))
. "$(dirname "$0")/lib.sh"
RANDOM=${SEED:=$(date +%s)}
RANDOM=$((SEED % 32768))

everything() { # as running_with, which asks each process of the machine by itself
	local p
	# shellcheck disable=SC2012 # names are numbers
	ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F " $S3B_BIN/s3backer${1:-}" |
	    grep -oE '/proc/[0-9]+' | while read -r p; do
		if ls -l "$p/fd" 2>/dev/null | grep -qF " $work/" ||
		    grep -qF "$work/" "$p/cmdline" 2>/dev/null; then
			echo "${p#/proc/}"
		fi
	done
}
daemons() { everything d; } # s3backerd alone, without its roles

# A command of s3backerd, and after at most so many ms the death of some.
interrupted() { # interrupted MS daemons|everything COMMAND...
	local ms=$((RANDOM % $1)) victims=$2 pids
	shift 2
	s3backerd -c "$conf" "$@" >interrupted.out 2>&1 &
	sleep "$(printf %d.%03d $((ms / 1000)) $((ms % 1000)))"
	while pids=$("$victims") && [ -n "$pids" ] || ! gone $!; do
		# shellcheck disable=SC2086 # a list
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
	done
	wait $! 2>/dev/null
	moments="$moments $1@$ms"
}

flush_something() { # and note what
	put "$file" $(((RANDOM % 32) << 16)) $((RANDOM * 4 + 4096)) "$RANDOM"
	sync "$file"
	ok $? "$1: written and flushed" || disk_log
	get "$file" 0 4194304 | sum >want
}

comes_back() { # comes_back sentence
	start_disk
	ok $? "$1: start works" || { disk_log; done_testing; }
	is "$(get "$file" 0 4194304 | sum)" "$(cat want)" "$1: what was flushed is there"
}

rounds() { # rounds N
	local i victims began start_ms stop_ms
	began=$(now_ms)
	must_start
	start_ms=$(($(now_ms) - began))
	flush_something "$store"
	began=$(now_ms)
	stop_disk
	stop_ms=$(($(now_ms) - began))
	for ((i = 0; i < $1; i++)); do
		victims=everything moments=
		[ $((RANDOM % 2)) = 0 ] && victims=daemons
		interrupted $((start_ms * 5 / 4)) $victims start
		comes_back "$store, $victims,$moments"
		flush_something "$store $i"
		interrupted $((stop_ms * 5 / 4)) $victims stop
		comes_back "$store, $victims,$moments"
		stop_disk
		ok $? "$store $i: stop works" || disk_log
	done
	nothing_left "$store: nothing is left"
	empty_cache
	start_disk
	is "$(get "$file" 0 4194304 | sum)" "$(cat want)" "$store: all of it is in the bucket"
	stop_disk
}

note "SEED=$SEED"
store dir
write_conf dir size=16m blockCacheFile="$work/cache.dir" blockCacheWriteDelay=10s maxDirtyAge=1m
rounds "${ROUNDS:-3}"
store s3
write_conf s3 size=16m blockCacheFile="$work/cache.s3" blockCacheWriteDelay=10s maxDirtyAge=1m
rounds $((${ROUNDS:-3} / 3))
done_testing
