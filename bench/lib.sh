# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2034,SC2086,SC2030,SC2031
#
# lib.sh -- contenders and measurements, for the rows.  Comes after tests/e2e/lib.sh.
#
# A row:     row_N() { contenders; figure ...; rounds of: run WHO COMMAND; rec FIGURE WHO VALUE }
# Contenders have a name.  file[NAME] is what to read and write, pids[NAME] whose CPU time counts.
#            null_up NAME OPTION...   bench/nullfs
#            disk NAME KEY=VALUE...   ours, on the server of the row
#            old_up NAME BLOCKSIZE    Debian's s3backer, where it is installed

SECS=${BENCH_SECONDS:-2} ROUNDS=${BENCH_ROUNDS:-5} MIB=${BENCH_MIB:-512} BLOCKS=${BENCH_BLOCKS:-100000}
MINUTES=${BENCH_MINUTES:-120} ROW_LIMIT=${BENCH_ROW_LIMIT:-$((120 + 120 * SECS))}
MB=$((1 << 20))
declare -A file_of pids_of loop_of best
hz=$(getconf CLK_TCK)

# ---- rows --------------------------------------------------------------------------------------

# Each row has a shell, a directory and a list of things to undo of its own, and its time: one that
# fails or hangs is ended and cleaned up after, and the next one begins.
run_row() {
	local dir=$work/row.$1 clock
	if [ "$SECONDS" -ge $((MINUTES * 60)) ]; then
		row=$1 remark "not measured: the $MINUTES minutes of this run were over"
		return
	fi
	mkdir -p "$dir"
	: >"$dir/on_exit"
	on_exit undo_row "$dir"
	set -m # a process group of its own, so that all of it can be ended
	# Undone by the shell of the row, whose end is the end of its server.
	(trap 'undo_row "$dir"' EXIT && work=$dir && cd "$dir" && row=$1 && store=s3 && "row_$1") </dev/null &
	row_shell=$!
	set +m
	sleep "$ROW_LIMIT" &
	clock=$!
	wait -n "$row_shell" "$clock"
	if kill -0 "$row_shell" 2>/dev/null; then
		row=$1 remark "ended after $ROW_LIMIT seconds: what is missing was not measured"
		end_row
	else
		wait "$row_shell" || row=$1 remark "did not end well: what is missing was not measured"
	fi
	kill "$clock" 2>/dev/null
	row_shell=
	undo_row "$dir" # of one that could not
	[ "${KEEP:-}" ] || rm -rf --one-file-system "$dir"
}

end_row() {
	local i
	[ -n "${row_shell:-}" ] || return
	kill -TERM -- "-$row_shell" 2>/dev/null
	for i in $(seq 100); do
		kill -0 "$row_shell" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL -- "-$row_shell" 2>/dev/null
}

undo_row() {
	tac "$1/on_exit" | while read -r line; do (eval "$line") </dev/null; done >>"$1/../undo.log" 2>&1
	: >"$1/on_exit"
}

figure() { # figure TEXT UNIT REFERENCE TARGET
	printf '%s\t%s\t%s\t%s\t%s\n' "$row" "$1" "$2" "$3" "$4" >>"$figures"
}
remark() {
	printf '* row %s: %s\n' "$row" "$*" >>"$notes"
	[ -z "${BENCH_VERBOSE:-}" ] || note "$*" >&2
}
rounds() { seq "$ROUNDS"; }

cpu_of() { # seconds of these processes and of their children that have ended
	local p
	for p; do cat "/proc/$p/stat" 2>/dev/null; done |
	    awk -v hz="$hz" '{ sub(/^.*\) /, ""); s += $12 + $13 + $14 + $15 } END { printf "%.2f", s / hz }'
}

# run WHO COMMAND...: sets J (what it printed, JSON) and CPU.
run() {
	local who=$1 before after
	shift
	before=$(cpu_of ${pids_of[$who]:-})
	J=$("$@") || note "failed: $who: $*: $J" >&2
	after=$(cpu_of ${pids_of[$who]:-})
	CPU=$(awk "BEGIN { print $after - $before }")
}
val() { jq -r ".$1" <<<"$J"; }
rec() { # rec FIGURE WHO VALUE [CPU]
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$round" "$3" "${4-$CPU}" >>"$results"
	[ -z "${BENCH_VERBOSE:-}" ] || note "$1: $2 = $3 (cpu ${4-$CPU})" >&2
}
took() { # took COMMAND...: prints {"seconds": S}
	local t=$EPOCHREALTIME
	"$@" >&2 || note "failed: $*" >&2
	awk "BEGIN { printf \"{\\\"seconds\\\": %.4f}\\n\", $EPOCHREALTIME - $t }"
}
counter() { ctl metrics | awk -v n="s3backer_$1" '$1 ~ "^" n "(_total)?({|$)" { s += $2 } END { printf "%d\n", s }'; }
counter_ms() { ctl metrics | awk -v n="s3backer_$1_seconds" '$1 ~ "^" n "(_total)?({|$)" { s += $2 } END { printf "%d\n", s * 1000 }'; }

# ---- contenders --------------------------------------------------------------------------------

server() { # server LATENCY [FLAGS...]: not its own limit: no MD5s, no hashes of bodies
	start_server --etag=fast --no-payload-check --latency "$1" --bucket raw "${@:2}"
}

null_up() { # null_up NAME OPTION...
	local name=$1 m=$work/mnt.null.$1
	shift
	mkdir -p "$m"
	"$S3B_BIN/nullfs" "$@" "$m" >>"$work/null.log" 2>&1 &
	pids_of[$name]=$! file_of[$name]=$m/file
	on_exit umount -l "$m"
	wait_for 10 mountpoint -q "$m"
}
null_down() { umount "$(dirname "${file_of[$1]}")" && wait "${pids_of[$1]}"; }

disk() { # disk NAME KEY=VALUE...
	local name=$1
	shift
	write_conf "$name" "prefix=$name-" size=64g blockSize=1m "$@"
	must_start
	file_of[$name]=$file pids_of[$name]=$(disk_pids)
}
again() { # again NAME: cold
	use_disk "$1"
	[ -z "$(disk_pid)" ] || stop_disk
	empty_cache
	start_disk || note "no restart: $1" >&2
	pids_of[$1]=$(disk_pids)
}
flush() { use_disk "$1" && timeout 300 s3backerctl -c "$conf" --timeout 290 flush >/dev/null; }
# settle WHO: until what it was given is where it belongs, or the next one would be measured beside that.
settle() {
	case $1 in
	null*) ;;
	pass | local) sync -f "$work" ;;
	old) wait_for 60 old_clean old ;;
	*) flush "$1" && sync -f "$work" ;;
	esac
}

have_old() { command -v s3backer >/dev/null; }
# Its best: enough threads for the round trips, read-ahead to keep them busy, no MD5 cache.
old_start() { # old_start NAME BLOCKSIZE SIZE
	local name=$1 m=$work/mnt.$1
	mkdir -p "$m"
	s3backer -f --accessId=$ID --accessKey=$SECRET --baseURL="$url/" --prefix="$name-" \
	    --blockSize="$2" --size="$3" --blockCacheSize=$((MIB * 3 * MB / $(numfmt --from=iec "$2"))) \
	    --blockCacheThreads=64 --readAhead=64 --readAheadTrigger=1 --md5CacheSize=0 --md5CacheTime=0 --minWriteDelay=0 \
	    --force bkt "$m" >>"$work/old.log" 2>&1 &
	pids_of[$name]=$! file_of[$name]=$m/file
	# Without its server it would try for ever.
	on_exit sh -c "case \$(readlink /proc/$!/exe) in */s3backer) kill -KILL $! ;; esac"
	wait_for 10 mountpoint -q "$m" || { tail -n 3 "$work/old.log" >&2 && exit 1; }
}
old_up() {
	old_start "$@"
	on_exit umount -l "$work/mnt.$1"
}
# Its umount returns at once and the process ends when the bucket has everything.
old_down() {
	umount "$work/mnt.$1"
	wait "${pids_of[$1]}" 2>/dev/null
	return 0 # whatever it thinks of its end
}
old_clean() { # nothing left to upload
	[ "$(awk '/^block_cache_dirty_ratio/ { print $2 + 0 }' "$work/mnt.$1/stats")" = 0 ]
}

# ---- measurements ------------------------------------------------------------------------------

fio_json() { # fio_json FILE RW BS DEPTH [OPTION...]: timed, O_DIRECT
	fio --name=x --filename="$1" --rw="$2" --bs="$3" --iodepth="$4" --direct=1 --ioengine=libaio \
	    --size=$((MIB))m --runtime="$SECS" --time_based --allow_file_create=0 \
	    --output-format=json "${@:5}" 2>>"$work/fio.log" |
	    jq -c '.jobs[0] | (if .read.total_ios > 0 then .read else .write end) |
		{perSec: .iops, MBps: (.bw_bytes / 1e6), p50us: (.clat_ns.percentile["50.000000"] / 1e3),
		 p99us: (.clat_ns.percentile["99.000000"] / 1e3), maxus: (.clat_ns.max / 1e3)}'
}
iolat() { "$S3B_BIN/iolat" "$@"; }
raw() { "$S3B_BIN/rawxfer" -k "$ID:$SECRET" "$@"; }
fill() { # fill FILE MIB [OFFSET_MIB]: something that is not zero
	[ -s "$work/noise" ] || random_file "$work/noise" $((64 * MB)) 7
	local i
	for ((i = 0; i < $2; i += 64)); do
		dd if="$work/noise" of="$1" bs=1M count=$(($2 - i < 64 ? $2 - i : 64)) \
		    seek=$((i + ${3:-0})) conv=notrunc,nocreat oflag=direct status=none || return 1
	done
}
read_all() { dd if="$1" of=/dev/null bs=1M count="$2" skip="${3:-0}" status=none "${@:4}"; }

# raw_best KEY put|get SIZE COUNT: the fastest way for the raw tool; "-c C -j J" in best[KEY].
raw_best() {
	local c j speed most=0 list="32 64 128"
	[ "$3" -ge 1000000 ] || list="128 256 512"
	for c in $list; do
		for j in 1 2; do
			speed=$(raw -c "$c" -j "$j" -s "$3" -n "$4" "$2" "$url/raw" | jq '.MBps * 10 | floor')
			if [ "${speed:-0}" -gt "$most" ]; then most=$speed best[$1]="-c $c -j $j"; fi
		done
	done
	remark "raw $1: best with ${best[$1]}"
}

head_lines() { # head_lines ROWS
	echo "## $began UTC"
	echo
	echo "* machine: $(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1))," \
	    "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB, Linux $(uname -r)," \
	    "cache and pass-through files on $(df --output=fstype "$work" | tail -n 1)"
	echo "* command: \`BENCH_SECONDS=$SECS BENCH_ROUNDS=$ROUNDS BENCH_MIB=$MIB BENCH_BLOCKS=$BLOCKS bench/run $1\`;" \
	    "revision $(git -C "$root" rev-parse --short HEAD)$(git -C "$root" diff --quiet HEAD -- || echo +)"
	echo "* server: \`s3testd --etag=fast --no-payload-check --latency MS\`, on the same processors"
	echo "* load before: $load_then, after: $(cut -d' ' -f1-3 /proc/loadavg)${BENCH_NOTE:+; $BENCH_NOTE}"
	echo "* noise: spread of \`null\` (worst round / median) $(spread)"
}
# What the machine itself varies by, since nullfs does nothing that could vary.
spread() {
	awk -F'\t' '$2 == "null" && $4 > 0 { k = $1; n[k]++; v[k, n[k]] = $4 } END {
		for (k in n) { lo = 1e30; s = 0; for (i = 1; i <= n[k]; i++) { s += v[k, i]; if (v[k, i] < lo) lo = v[k, i] }
			printf "%s%.2f", sep, lo / (s / n[k]); sep = ", " }
		if (sep == "") printf "not measured in these rows" }' "$results"
}
