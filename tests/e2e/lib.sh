# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# lib.sh -- what every end-to-end test begins with:  . "$(dirname "$0")/lib.sh"
#
# A test runs twice.  The outer shell makes a directory of its own, runs the same script again
# with a time limit, and when that is over, in whatever way, undoes what the test has noted with
# on_exit.  So nothing stays mounted, attached or running when a test fails, hangs or is killed;
# and nobody but the test's own processes is ever touched.
#
# TAP, reasons of failures on stderr:
#            ok STATUS sentence    is GOT WANT sentence    has TEXT REGEX sentence
#            le A B sentence    note text    skip_all why    done_testing (last line)
# waiting    wait_for SECONDS COMMAND...   until it succeeds; there is no bare sleep in a test
# cleaning   on_exit COMMAND...            the last noted first, in another shell
# a disk     store s3|dir; write_conf [NAME] KEY=VALUE...; start_disk [NAME]; stop_disk [NAME]
#            $mnt/file is the disk; $conf its configuration; empty_cache; kill_disk
# the store  start_server FLAGS...; server_stats KEY; server_reset; server_keys; fault RULE
# loops      loop_up FILE (sets $loop), loop_down; drop_copies in a mount namespace of one's own
#
# Variables of a test, before it sources this: LIMIT (seconds), NEEDS ("fuse loop xfs ...").

set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
S3B_BIN=${S3B_BIN:-$root/${B:-build}/bin}
S3TESTD=${S3TESTD:-$S3B_BIN/s3testd}
PATH=$S3B_BIN:/usr/local/sbin:/usr/sbin:/sbin:$PATH
LIMIT=${LIMIT:-120}
# Instrumented programs are slower; a limit is there to end a hang, not to measure.
case ${S3B_VARIANT:-} in *address* | *thread*) slow=4 ;; *) slow=1 ;; esac

ID=AKIDEXAMPLE SECRET=wJalrXUtnFEMI+K7MDENG+bPxRfiCYEXAMPLEKEY

# Nothing but what a test says itself may give keys, and no test looks for a metadata service.
unset "${!AWS_@}"
export AWS_EC2_METADATA_DISABLED=true
[ -n "${S3B_TEST_WORK:-}" ] && export HOME=$S3B_TEST_WORK/home

# ---- the outer shell, and what it may have to undo ---------------------------------------------

stop_pid() { # stop_pid PID NAME: unless it has gone and the number is somebody else's
	case $(readlink "/proc/$1/exe") in */"$2"*) kill "$1" ;; esac
}

# Our programs that have something open in this directory, or were started with it.
running_with() {
	local p
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in "$S3B_BIN"/s3backer*) ;; *) continue ;; esac
		if ls -l "$p/fd" 2>/dev/null | grep -qF " $1/" ||
		    cat "$p/cmdline" 2>/dev/null | tr '\0' ' ' | grep -qF " $1/"; then
			echo "${p#/proc/}"
		fi
	done
}

burn_disk() { # burn_disk DIRECTORY MOUNTPOINT
	local pids
	pids=$(running_with "$1")
	# shellcheck disable=SC2086 # a list
	[ -z "$pids" ] || { kill -STOP $pids && kill -KILL $pids; }
	while grep -qF " $2 fuse" /proc/self/mounts; do umount -l "$2" || break; done
}

# The number of a loop device is soon somebody else's: look whose file it has.
free_loop() { # free_loop DEVICE DIRECTORY
	case $(losetup -n -O BACK-FILE "$1" 2>/dev/null) in "$2"/*) losetup -d "$1" ;; esac
}

if [ -z "${S3B_TEST_WORK:-}" ]; then
	S3B_TEST_WORK=$(mktemp -d "${TMPDIR:-/tmp}/s3b-test.XXXXXX")
	export S3B_TEST_WORK S3B_BIN S3TESTD
	: >"$S3B_TEST_WORK/on_exit"
	undo() {
		trap '' INT TERM HUP
		tac "$S3B_TEST_WORK/on_exit" | while read -r line; do
			(eval "$line") </dev/null >>"$S3B_TEST_WORK/undo.log" 2>&1
		done
		if [ "${KEEP:-}" ]; then
			echo "# kept: $S3B_TEST_WORK"
		elif ! grep -qF " $S3B_TEST_WORK/" /proc/self/mounts; then
			rm -rf "$S3B_TEST_WORK"
		fi
	}
	trap undo EXIT
	timeout -k 10 $((LIMIT * slow)) bash "$(readlink -f "$0")" "$@" &
	inner=$!
	trap 'kill -TERM $inner' INT TERM HUP
	wait "$inner"
	status=$?
	while kill -0 "$inner" 2>/dev/null; do wait "$inner"; done
	case $status in
	124 | 137) echo "# $0 was ended: not done after $((LIMIT * slow)) s" >&2 ;;
	esac
	exit "$status"
fi

work=$S3B_TEST_WORK
cd "$work" || exit 1

# ---- TAP ---------------------------------------------------------------------------------------

tap_count=0 tap_failed=0

ok() { # ok STATUS sentence
	local status=$1
	shift
	tap_count=$((tap_count + 1))
	if [ "$status" = 0 ]; then
		echo "ok $tap_count - $*"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $*"
		echo "# ${0##*/}: not ok $tap_count - $*" >&2
	fi
	return "$((status != 0))"
}

is() { # is GOT WANT sentence
	local got=$1 want=$2
	shift 2
	[ "$got" = "$want" ]
	ok $? "$*" || printf '# got:  %s\n# want: %s\n' "${got//$'\n'/ | }" "${want//$'\n'/ | }" >&2
}

has() { # has TEXT REGEX sentence
	local text=$1 regex=$2
	shift 2
	grep -qE -- "$regex" <<<"$text"
	ok $? "$*" || { echo "# no /$regex/ in:"; sed 's/^/#   /' <<<"$text"; } >&2
}

le() { # le A B sentence: A <= B
	local a=$1 b=$2
	shift 2
	[ -n "$a" ] && [ "$a" -le "$b" ]
	ok $? "$* ($a, at most $b)"
}

note() { printf '# %s\n' "$@"; }

quietly() { # quietly COMMAND...: its output becomes comments when it fails
	local log=$work/quietly.$BASHPID status
	"$@" >"$log" 2>&1
	status=$?
	[ "$status" = 0 ] || sed 's/^/# /' "$log" | tail -n 40 >&2
	rm -f "$log"
	return "$status"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

done_testing() {
	sanitizer_reports
	[ "$tap_failed" = 0 ] || disk_log
	echo "1..$tap_count"
	exit "$((tap_failed > 0))"
}

# A finding of ASan, UBSan or TSan in any process is a failure of the test.
sanitizer_reports() {
	local found
	[ -n "${S3B_VARIANT:-}" ] || return 0
	found=$(cat "$work"/san.* 2>/dev/null; grep -hE 'runtime error:|Sanitizer:' "$work"/*.log "$work"/run.*/log 2>/dev/null)
	[ -z "$found" ]
	ok $? "no sanitizer has anything to say" || sed 's/^/# /' <<<"$found" | head -n 60 >&2
}
export ASAN_OPTIONS=log_path=$work/san.asan:detect_leaks=0:abort_on_error=0
export UBSAN_OPTIONS=log_path=$work/san.ubsan:print_stacktrace=1
export TSAN_OPTIONS=log_path=$work/san.tsan

# ---- waiting and cleaning ----------------------------------------------------------------------

wait_for() { # wait_for SECONDS COMMAND...
	local end=$((SECONDS + $1 * slow))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then
			note "still not: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

on_exit() { # words are quoted for the shell that will run them
	printf '%q ' "$@" >>"$work/on_exit"
	echo >>"$work/on_exit"
}

gone() { ! kill -0 "$1" 2>/dev/null; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

requires() { # requires THING...: end as skipped where the machine has it not
	local t
	for t; do
		case $t in
		root) [ "$(id -u)" = 0 ] || skip_all "needs root" ;;
		fuse)
			[ "$(id -u)" = 0 ] || skip_all "needs root"
			[ -c /dev/fuse ] && : <>/dev/fuse 2>/dev/null || skip_all "needs /dev/fuse"
			;;
		loop) [ -c /dev/loop-control ] || skip_all "needs loop devices" ;;
		inject) case ${S3B_VARIANT:-} in *inject*) ;; *) skip_all "needs INJECT=1" ;; esac ;;
		ext4 | xfs | btrfs | overlay)
			grep -qw "$t" /proc/filesystems || modprobe -q "$t" 2>/dev/null ||
			    skip_all "the kernel has no $t"
			;;
		*) command -v "$t" >/dev/null || skip_all "needs $t" ;;
		esac
	done
}

# ---- the test server ---------------------------------------------------------------------------

# start_server FLAGS...: sets port, url, admin, server_pid.
start_server() {
	local file=$work/server.port
	rm -f "$file"
	"$S3TESTD" --die-with-parent --port-file "$file" ${server_port:+--port "$server_port"} --bucket bkt \
	    --access-key "$ID:$SECRET" --log "$work/requests.log" "$@" \
	    >>"$work/server.log" 2>&1 &
	server_pid=$!
	on_exit stop_pid "$server_pid" s3testd
	wait_for 10 test -s "$file" || {
		ok 1 "s3testd starts"
		done_testing
	}
	port=$(cat "$file")
	url=http://127.0.0.1:$port admin=$url/_s3testd
}

stop_server() {
	kill "$server_pid" && wait "$server_pid" 2>/dev/null
}

adm() { curl -sS --noproxy '*' --max-time 30 "$@"; }
server_stats() { adm "$admin/stats" | jq -r ".$1"; }
server_reset() { adm -X DELETE "$admin/stats" >/dev/null; }
server_keys() { adm "$admin/keys/bkt?prefix=${1:-}"; }
server_log() { adm "$admin/log?since=${1:-0}"; }
server_mark() { adm "$admin/log" | tail -n 1 | cut -d' ' -f1; }
# Requests of one kind for blocks, not for the token, since the line number $mark.
block_requests() { # block_requests GET|PUT|DELETE
	server_log "$mark" | awk -v m="$1" '$3 == m { print $9 }' | grep -cE '[0-9a-f]{8}$'
}
latency() { adm -X POST "$admin/latency?ms=$1" >/dev/null; }
fault() { adm --data-binary "$1" "$admin/fault" >/dev/null; }
no_fault() { adm -X DELETE "$admin/fault" >/dev/null; }

# ---- disks -------------------------------------------------------------------------------------

# store s3|dir: what the following write_conf puts the disk on.
store() {
	store=$1
	case $store in
	s3) [ -n "${server_pid:-}" ] || start_server ;;
	dir) mkdir -p "$work/bucket" ;;
	esac
}

# The objects of the disk in $store, sorted by name.
keys() {
	case $store in
	s3) server_keys "${1:-}" ;;
	dir) (cd "$work/bucket" && ls -1 | grep "^${1:-}" | LC_ALL=C sort) ;;
	esac
}
blocks() { keys "${1:-}" | grep -E '[0-9a-f]{8}$'; }
object() { # object KEY: its bytes
	case $store in
	s3) adm "$admin/object/bkt/$1" ;;
	dir) cat "$work/bucket/$1" ;;
	esac
}

# write_conf [NAME] KEY=VALUE...: NAME.conf, sets conf, mnt, disk.  A value given here wins; "KEY="
# leaves the key out, "KEY=-" gives it an empty value.
write_conf() {
	local name=disk kv key
	case ${1:-} in *=*) ;; ?*) name=$1 && shift ;; esac
	conf=$work/$name.conf mnt=$work/mnt.$name run=$work/run.$name disk=$name
	mkdir -p "$mnt" "$run"
	declare -A set=([bucket]=file://$work/bucket [mountPoint]=$mnt [runDir]=$run [size]=64m
		[blockSize]=64k [logTo]=$run/log [logLevel]=info)
	if [ "${store:-dir}" = s3 ]; then
		set[bucket]=bkt set[baseURL]=$url/ set[accessId]=$ID set[accessKey]=$SECRET
	fi
	for kv; do
		key=${kv%%=*}
		set[$key]=${kv#*=}
	done
	for key in "${!set[@]}"; do
		[ -z "${set[$key]}" ] || echo "$key = ${set[$key]#-}"
	done >"$conf"
	chmod 600 "$conf"
	mnt=${set[mountPoint]} cache=${set[blockCacheFile]:-}
	file=$mnt/${set[filename]:-file}
	on_exit burn_disk "$run" "$mnt"
}

use_disk() { # use_disk NAME: of the disks written so far
	disk=$1 conf=$work/$1.conf run=$work/run.$1
	mnt=$(conf_value mountPoint) cache=$(conf_value blockCacheFile)
	file=$mnt/$(conf_value filename | grep . || echo file)
}
conf_value() { sed -n "s/^$1 = //p" "$conf" | tail -n 1; }

disk_pid() { cat "$run/$disk.pid" 2>/dev/null; }
disk_log() {
	local f
	for f in "$work"/*.log "$work"/run.*/log; do
		[ -s "$f" ] || continue
		case $f in */undo.log | */requests.log) continue ;; esac
		note "---- ${f#"$work/"}"
		tail -n "${1:-30}" "$f" | sed 's/^/# /'
	done >&2
}

start_disk() {
	quietly timeout $((60 * slow)) s3backerd -c "$conf" start "$@"
}

must_start() { # the rest of the test means nothing without it
	start_disk "$@" && return
	ok 1 "the disk starts"
	done_testing
}

stop_disk() {
	quietly timeout $((90 * slow)) s3backerd -c "$conf" stop "$@"
}

restart_cold() { # stop, forget the cache, start
	stop_disk && empty_cache && start_disk
}

empty_cache() { [ -z "$cache" ] || rm -f "$cache" "$cache.state"; }

# Pids of s3backerd and its roles, by parent and by executable.
disk_pids() {
	local top
	top=$(disk_pid)
	[ -n "$top" ] && echo "$top" && pgrep -P "$top"
}
role_pid() { # role_pid frontend|cachemgr|uploader.N
	status_json | jq -r ".processes[] | select(.role == \"$1\") | .pid"
}

# As a power cut does to the programs: all at once, without a word.
kill_disk() {
	local pids
	pids=$(disk_pids)
	# shellcheck disable=SC2086
	kill -STOP $pids && kill -KILL $pids
	wait_for 10 all_gone $pids && { umount -l "$mnt" 2>/dev/null || true; }
}
all_gone() {
	local p
	for p; do gone "$p" || return 1; done
}

is_mounted() { grep -q " $mnt fuse" /proc/self/mounts; }
ctl() { timeout $((60 * slow)) s3backerctl -c "$conf" "$@"; }
status_json() { ctl --json status; }
status() { status_json | jq -r ".$1"; } # status cache.dirtyBlocks
state_is() { [ "$(status state)" = "$1" ]; }
is_clean() { [ "$(status cache.dirtyBlocks)" = 0 ] && [ "$(status cache.pendingDeletes)" = 0 ]; }

# expect_counter PATH OP NUMBER sentence: of status --json
expect_counter() {
	local got
	got=$(status "$1")
	[ -n "$got" ] && [ "$got" "$2" "$3" ]
	ok $? "$4 ($1 = $got)"
}

nothing_left() { # nothing_left sentence: neither mount nor process nor token
	local left=
	is_mounted && left="$left mount"
	[ -n "$(running_with "$run")" ] && left="$left process:$(running_with "$run" | tr '\n' ' ')"
	[ -e "$run/$disk.sock" ] && left="$left socket"
	[ -z "$left" ]
	ok $? "$1" || note "left:$left"
}

# ---- loop devices ------------------------------------------------------------------------------

loop_up() { # loop_up FILE [OPTIONS]: sets loop
	loop=$(losetup --find --show "${@:2}" "$1") || return 1
	on_exit free_loop "$loop" "$work"
}
loop_down() {
	losetup -d "$1"
	wait_for 10 loop_is_free "$1"
}
loop_is_free() { ! losetup -n -O BACK-FILE "$1" 2>/dev/null | grep -qF "$work/"; }

# In a mount namespace of its own a test begins with copies of what others have mounted.  While it
# has them, nothing of it can end: neither their disks nor their loop devices.
drop_copies() {
	local dir
	awk '$3 ~ /^fuse/ || $1 ~ "^/dev/loop" { print $2 }' /proc/self/mounts | tac | while read -r dir; do
		case $dir in "$work"/*) ;; *) umount -l "$dir" ;; esac
	done
}

mount_fs() { # mount_fs DEVICE DIR [OPTIONS]
	mkdir -p "$2"
	on_exit umount -l "$(realpath "$2")"
	mount "${@:3}" "$1" "$2"
}

# ---- data --------------------------------------------------------------------------------------

random_file() { # random_file FILE BYTES SEED: the same bytes for the same seed, fast
	openssl enc -aes-128-ctr -nosalt -pass "pass:$3" -pbkdf2 -iter 1 </dev/zero 2>/dev/null |
	    head -c "$2" >"$1"
}
put() { # put FILE OFFSET BYTES SEED: into the disk's file, no truncation
	random_file "$work/put.tmp" "$3" "$4"
	dd if="$work/put.tmp" of="$1" bs=1M seek="$2" oflag=seek_bytes conv=notrunc status=none
}
get() { # get FILE OFFSET BYTES
	dd if="$1" bs=1M skip="$2" count="$3" iflag=skip_bytes,count_bytes status=none
}
sum() { md5sum | cut -d' ' -f1; }
drop_pages() { echo 1 >/proc/sys/vm/drop_caches; }

for_each_store() { # for_each_store FUNCTION...: in both, each in a fresh bucket
	local s f
	for s in s3 dir; do
		store "$s"
		for f; do
			note "store: $s, $f"
			"$f"
		done
	done
}

# shellcheck disable=SC2086
requires ${NEEDS:-fuse}
[ -x "$S3B_BIN/s3backerd" ] || { echo "Bail out! no $S3B_BIN/s3backerd: make"; exit 1; }

# Against a real server some of this is done in another way.
# shellcheck source=/dev/null
[ -z "${S3B_SERVER:-}" ] || . "$root/tests/servers/real.sh"
