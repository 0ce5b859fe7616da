# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
#
# spree.sh -- load and death, for killing-spree and tests/soak: sourced after e2e/lib.sh.
#
# The load wants $file and $SEED; ext4 is mounted on $work/fs.  `strike` does one thing at random to the
# processes of the disk in use: kills one, several or all, stops one, restarts.  What was done is a line
# of spree.log and a number in $killed, $stopped, $restarts, $together.

# ---- the load ----------------------------------------------------------------------------------

file_system() { # until $work/enough is there; its errors and mismatches are lines of fs.log
	local n=0 i dir
	while [ ! -e enough ]; do
		dir=fs/dir.$((n % 4))
		rm -rf "$dir" && mkdir "$dir" || echo "error: rm, mkdir"
		for i in 1 2 3 4 5 6; do
			random_file "$dir/f.$i" $((i * 98765)) "$SEED.$n.$i" || echo "error: write"
			random_file /dev/stdout $((i * 98765)) "$SEED.$n.$i" | md5sum | sed "s, .*,  f.$i," >>sums.new
		done
		sync -f "$dir" || echo "error: sync"
		mv sums.new "sums.$((n % 4))"
		drop_pages
		for i in 0 1 2 3; do
			[ -e "sums.$i" ] || continue
			(cd "fs/dir.$i" && md5sum -c --quiet "$work/sums.$i") 2>&1 | sed 's/^/mismatch: /'
		done
		n=$((n + 1))
	done
	echo "rounds $n"
}

fio_load() { # fio_load OFFSET SIZE SECONDS: random reads and writes there, each verified
	exec fio --name=disk --filename="$file" --offset="$1" --size="$2" --rw=randrw --bsrange=4k-128k \
	    --ioengine=libaio --iodepth=8 --direct=1 --randseed="$SEED" --verify=crc32c --verify_fatal=1 \
	    --verify_backlog=128 --verify_state_save=0 --fallocate=none --allow_file_create=0 \
	    --time_based --runtime="$3"
}

# ---- what is done to the processes -------------------------------------------------------------

declare -A killed=([frontend]=0 [cachemgr]=0 [uploader]=0 [s3backerd]=0)
stopped=0 restarts=0 together=0

note_kill() { # note_kill ROLE
	killed[${1%%.*}]=$((${killed[${1%%.*}]} + 1))
	echo "$(now_ms) kill $1" >>spree.log
}

roles() { status_json 2>/dev/null | jq -r '.processes[] | select(.pid != 0) | "\(.role) \(.pid)"'; }

kill_some() { # kill_some HOW-MANY REGEX: that many at random of the roles, in one moment
	local list pids=() role pid
	list=$(roles | grep -E "$2" | shuf -n "$1" --random-source=<(yes "$RANDOM"))
	[ -n "$list" ] || return
	while read -r role pid; do
		pids+=("$pid")
		note_kill "$role"
	done <<<"$list"
	kill -KILL "${pids[@]}" 2>/dev/null
	[ "${#pids[@]}" = 1 ] || together=$((together + 1))
}

stop_one() { # a second, or until it is replaced
	local role pid
	read -r role pid <<<"$(roles | grep -v s3backerd | shuf -n 1 --random-source=<(yes "$RANDOM"))"
	[ -n "${pid:-}" ] || return
	kill -STOP "$pid" 2>/dev/null || return
	stopped=$((stopped + 1))
	echo "$(now_ms) stop $role $pid" >>spree.log
	if [ $((RANDOM % 3)) != 0 ]; then
		sleep 1
		kill -CONT "$pid" 2>/dev/null
	fi
}

restart() {
	echo "$(now_ms) restart" >>spree.log
	timeout 60 s3backerd -c "$conf" restart >>restart.log 2>&1 && restarts=$((restarts + 1))
}

strike() {
	case $((RANDOM % 20)) in
	0 | 1 | 2 | 3) kill_some 1 '^frontend' ;;
	4 | 5 | 6 | 7) kill_some 1 '^cachemgr' ;;
	8 | 9 | 10 | 11) kill_some 1 '^uploader' ;;
	12 | 13 | 14) kill_some $((2 + RANDOM % 3)) '^(front|cache|up)' ;;
	15) kill_some 99 '^(front|cache|up)' ;;
	16) stop_one ;;
	17) restart ;;
	18) kill_some 1 '^s3backerd' ;;
	19) kill_some 2 . ;;
	esac
}

all_run() { [ "$(status_json 2>/dev/null | jq '[.processes[] | select(.state == "running")] | length')" = 5 ]; }
memory() { # kilobytes of all processes: what is theirs alone
	local p
	for p in $(disk_pids); do cat "/proc/$p/smaps_rollup"; done | awk '/^Private|^Pss_Anon/ { n += $2 } END { print n }'
}
descriptors() {
	local p
	for p in $(disk_pids); do ls "/proc/$p/fd"; done | wc -l
}
own_descriptors() { ls "/proc/$(disk_pid)/fd" | wc -l; }
ready() { grep -q 'got READY=1' notify.log 2>/dev/null; }
