#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The table command-lines: a configuration made from an old command line by dropping the dashes (or
# by leaving them) starts the disk that the old program has made with that line.

LIMIT=400
. "$(dirname "$0")/lib.sh"
table=$(dirname "$(readlink -f "$0")")/command-lines

# ---- from a line to a configuration ------------------------------------------------------------

fill_in() { # the words of the table that stand for something of this machine
	local s=$1
	s=${s//@D@/$work} s=${s//@URL@/$url/} s=${s//@HOST@/http://localhost:$port/}
	s=${s//@TLS@/https://127.0.0.1:$tls_port/} s=${s//@ID@/$ID} s=${s//@SECRET@/$SECRET}
	s=${s//BUCKET/bkt} s=${s//MNT/$mnt}
	echo "$s"
}

# A line each for the options, with their dashes; what is left is bucket and mount point.
split_command() { # split_command WORD...: sets options, args
	options=() args=()
	while [ $# -gt 0 ]; do
		case $1 in
		-f | -d | -s) ;; # how it runs, not which disk
		-o) options+=("-o $2") && shift ;;
		-*) options+=("$1") ;;
		*) args+=("$1") ;;
		esac
		shift
	done
}

conf_of() { # conf_of FILE LINE...: with what has to differ here
	local f=$1
	shift
	{
		printf '%s\n' "$@"
		echo "bucket = ${args[0]}"
		[ -z "${args[1]:-}" ] || echo "mountPoint = ${args[1]}"
		printf '%s\n' "runDir = $run" "logTo = $run/log"
		case ${args[0]}$line in
		*@URL@* | *@HOST@* | *@TLS@* | /*) ;;
		*--ssl*) printf '%s\n' "baseURL = https://127.0.0.1:$tls_port/" insecure ;;
		*) [ -n "$error" ] || echo "baseURL = $url/" ;;
		esac
	} >"$f"
	chmod 600 "$f"
}

# ---- one entry ---------------------------------------------------------------------------------

check_conf() { # check_conf FILE: its lines, unless it is refused
	s3backerd -c "$1" ${fstab:+-o "$fstab"} check-config 2>&1
}

entry() {
	local name=$1 line=$2 fstab=$3 want=$4 old=$5 start=$6 error=$7 out part
	reset_bucket
	conf=$work/disk.conf mnt=$work/mnt.disk run=$work/run.disk disk=disk
	if [ -n "$fstab" ]; then
		read -ra args <<<"$fstab" # device, mount point, type, options
		line=$fstab fstab=$(fill_in "${args[3]}") options=()
		args=("$(fill_in "${args[0]#*s3backer#}")" "$mnt")
	else
		# shellcheck disable=SC2046 # words
		split_command $(fill_in "${line#s3backer }")
	fi
	conf_of "$conf" "${options[@]}"
	out=$(check_conf "$conf")
	if [ -n "$error" ]; then
		has "$out" "^s3backerd: .*: $(sed 's/[()|.]/\\&/g' <<<"$error")\$" "$name: refused, and why"
		return
	fi
	local missing=
	while read -r part; do
		part=$(fill_in "$part")
		grep -qxF -e "$part" -e "# $part" <<<"$out" || missing="$missing [$part]"
	done < <(sed 's/ | /\n/g' <<<"$want")
	is "$missing" "" "$name: check-config says what it should" || sed 's/^/#   /' <<<"$out" >&2
	if [ -z "$fstab" ]; then
		conf_of nodashes.conf "$(printf '%s\n' "${options[@]}" | sed 's/^-o /-o /; t; s/^-*//')"
		is "$(check_conf nodashes.conf | grep -v '^s3backerd: note')" \
		    "$(grep -v '^s3backerd: note' <<<"$out")" "with or without dashes"
	fi
	[ "$start" = no ] || same_disk
}

# The old program makes it, ours finds it.
same_disk() {
	local disk_name offsets size written=
	disk_name=$(sed -n 's/^#* *filename = //p' <<<"$out") && disk_name=${disk_name:-file}
	size=$(sed -n 's/^size = //p' <<<"$out")
	[ -z "$size" ] || size=$(numfmt --from=iec <<<"${size^^}")
	if [ "$old" != none ]; then
		old_start_line || { ok 1 "the old program starts"; disk_log 8; return; }
		[ -n "$size" ] || size=$(stat -c %s "$old_mnt/$disk_name")
	fi
	offsets=(0 $((size / 2 + 1000)) $((size - 50000)))
	if [ "$old" != none ]; then
		written=$old_mnt/$disk_name
		pieces write "$written"
		old_stop
		ok $? "made by the old program"
		rm -f cache* # it has another form; 070 shows that nothing happens to it
	fi
	if [ -n "$fstab" ]; then
		quietly timeout 60 mount.fuse.s3backerd "$conf" "$mnt" -o "$fstab"
	else
		start_disk
	fi
	ok $? "ours starts" || { disk_log 8; return; }
	is "$(stat -c %s "$mnt/$disk_name")" "$size" "the same size"
	if [ -n "$written" ]; then
		is "$(pieces read "$mnt/$disk_name")" "$(pieces expect)" "and the same content"
	else
		pieces write "$mnt/$disk_name"
		is "$(pieces read "$mnt/$disk_name")" "$(pieces expect)" "it works"
	fi
	if [ -n "$fstab" ]; then
		quietly umount.fuse.s3backerd "$mnt"
	else
		stop_disk
	fi
	ok $? "stop" || disk_log 8
}

old_start_line() {
	local words base=--baseURL=$url/
	if [ -n "$old" ]; then
		# shellcheck disable=SC2206
		words=($(fill_in "$old"))
	elif [ -n "$fstab" ]; then
		words=(-o "$fstab")
	else
		words=("${options[@]}")
		case $line in *@URL@* | *@HOST@* | *@TLS@*) base= ;; esac
	fi
	case $old in *@URL@* | *@TLS@*) base= ;; esac
	# shellcheck disable=SC2086 # "-o X" is two words
	"$OLD" -f $base $(printf '%s\n' "${words[@]}") "$(old_bucket)" "$old_mnt" >>"$old_log" 2>&1 &
	old_pid=$!
	on_exit stop_pid "$old_pid" s3backer
	old_file=$old_mnt/$disk_name
	wait_for 30 old_is_up_or_gone && [ -e "$old_file" ]
}
old_bucket() { case ${args[0]} in /*) echo "${args[0]}" ;; *) echo bkt ;; esac; }

pieces() { # pieces write FILE | read FILE | expect
	local i
	for i in 0 1 2; do
		random_file "$work/piece" 50000 "$i"
		case $1 in
		write) piece "$work/piece" "$2" "${offsets[i]}" 50000 ;;
		read) get "$2" "${offsets[i]}" 50000 | sum ;;
		expect) sum <"$work/piece" ;;
		esac
	done
}

# ---- the table ---------------------------------------------------------------------------------

export HOME=$work
cp accessFile .s3backer_passwd
chmod 600 .s3backer_passwd
printf '%s\n' '# as the old program reads it' --size=6g --blockSize=32k --compress=3 \
    --region=us-east-1 --no-vhost >old.conf
start_server --region any --tls "$work/tls"
# One server that speaks TLS and one that does not, each with a bucket of its own.
tls_port=$port
start_server --region any
cp tls/cert.pem ca.pem

reset_bucket() {
	[ ! -e "$mnt/stats" ] || stop_disk
	server_keys | while read -r key; do adm -X DELETE "$admin/object/bkt/$key" >/dev/null; done
	adm -k "https://127.0.0.1:$tls_port/_s3testd/keys/bkt" | while read -r key; do
		adm -k -X DELETE "https://127.0.0.1:$tls_port/_s3testd/object/bkt/$key" >/dev/null
	done
	rm -rf store cache* run.disk mnt.disk && mkdir store run.disk mnt.disk
	: >"$old_log"
}

mnt=$work/mnt.disk
on_exit burn_disk "$work/run.disk" "$mnt"
declare -A e=()
run_entry() {
	[ -z "${e[entry]:-}" ] || [[ ${e[entry]} != *${ENTRY:-}* ]] ||
	    entry "${e[entry]}" "${e[cmd]:-}" "${e[fstab]:-}" "${e[conf]:-}" "${e[old]:-}" \
	        "${e[start]:-}" "${e[error]:-}" </dev/null
	e=()
}
entries=0
while read -r key value; do
	case $key in
	'' | \#*) ;;
	entry) run_entry && entries=$((entries + 1)) ;;&
	*) e[$key]=$value ;;
	esac
done <"$table"
run_entry
le 20 "$entries" "entries in the table"
done_testing
