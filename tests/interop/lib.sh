# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# lib.sh -- the old program (Debian's package s3backer, 1.5.4) beside ours, on one test server.
#
#	. "$(dirname "$0")/lib.sh"	# includes ../e2e/lib.sh, and offers the same words
#
# old programs   old_start FLAGS...; old_stop; old_refuses SENTENCE; $old_file is its disk
# both           disk_of COMBINATION sets $old_flags (theirs), $keys (ours), $prefix (object names)
#                for_each_combination FUNCTION...: each on a server of its own
# comparing      new_model; scribble SEED FILE... writes the same into all of them; objects: what is stored
#
# The old program runs with -f, so its end is that of a process that we know.  Its umount returns
# before the bucket is complete; what counts is that this process has ended.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

OLD=${OLD_S3BACKER:-/usr/bin/s3backer}
[ -x "$OLD" ] || skip_all "needs Debian's package s3backer"
export no_proxy='*' NO_PROXY='*' # it would send 127.0.0.1 to a proxy
old_mnt=$work/mnt.old old_file=$work/mnt.old/file old_log=$work/old.log
mkdir "$old_mnt" && on_exit umount -l "$old_mnt"
echo 'correct horse battery staple' >"$work/password"
echo "$ID:$SECRET" >"$work/accessFile"
chmod 600 "$work/password" "$work/accessFile"
SIZE=$((16 << 20)) BLOCK=65536

# ---- combinations ------------------------------------------------------------------------------

combinations='plain deflate encrypt aes256 keylength hash subdir'
# Not asked for by name, but nothing else shows that the layers do not get into each other's way.
combinations="$combinations encrypt-subdir des3 everything"

disk_of() { # disk_of COMBINATION
	combination=$1 prefix=
	old_flags=(--accessFile="$work/accessFile") keys=()
	case $1 in
	plain) ;;
	deflate) both compress=9 ;;
	encrypt) both encrypt passwordFile="$work/password" ;;
	aes256) both encrypt=AES-256-CBC passwordFile="$work/password" ;;
	keylength) both encrypt keyLength=64 passwordFile="$work/password" ;;
	hash) both blockHashPrefix ;;
	subdir) prefix=sub/dir/ ;;
	encrypt-subdir) prefix=sub/dir/ && both encrypt passwordFile="$work/password" ;;
	des3) both encrypt=DES-EDE3-CBC passwordFile="$work/password" ;;
	everything)
		prefix=all/of/it/
		both encrypt=AES-192-CBC keyLength=48 passwordFile="$work/password" compress=1 \
		    blockHashPrefix authVersion=aws2 storageClass=STANDARD_IA sse=AES256
		;;
	esac
	# 1.5.4 does not know bucket/sub/dir; this is how it spells the same disk.
	[ -z "$prefix" ] || old_flags+=(--prefix="$prefix")
	keys+=(bucket="bkt${prefix:+/${prefix%/}}")
}

both() { # both KEY[=VALUE]...: theirs with dashes, ours without
	local word
	for word; do
		old_flags+=("--$word")
		case $word in *=*) keys+=("$word") ;; *) keys+=("$word=yes") ;; esac
	done
}

# COMBINATIONS="plain hash" runs some of them.
for_each_combination() {
	local c f
	for c in ${COMBINATIONS:-$combinations}; do
		for f; do
			clear_away
			start_server
			store=s3
			disk_of "$c"
			note "combination: $c, $f"
			"$f"
		done
	done
}

# Whatever the combination before has left when something in it failed: the next one begins afresh.
clear_away() {
	! grep -q " $work/fs " /proc/self/mounts || umount "$work/fs" || umount -l "$work/fs"
	[ -z "${loop:-}" ] || free_loop "$loop" "$work"
	[ -z "${run:-}" ] || burn_disk "$run" "$mnt"
	[ -z "${old_pid:-}" ] || gone "$old_pid" || stop_pid "$old_pid" s3backer
	! grep -q " $old_mnt " /proc/self/mounts || umount -l "$old_mnt"
	[ -z "${server_pid:-}" ] || stop_server
}

ours() { # ours [NAME] KEY=VALUE...: a configuration of ours for the combination
	local name=disk
	case ${1:-} in *=*) ;; ?*) name=$1 && shift ;; esac
	write_conf "$name" size= blockSize= "${keys[@]}" "$@"
}

# ---- the old program ---------------------------------------------------------------------------

old_start() { # old_start FLAGS...: on the disk of the combination
	"$OLD" -f --baseURL="$url/" --timeout=10 "${old_flags[@]}" "$@" bkt "$old_mnt" \
	    >>"$old_log" 2>&1 &
	old_pid=$!
	on_exit stop_pid "$old_pid" s3backer
	wait_for 30 old_is_up_or_gone && [ -e "$old_file" ]
}
old_is_up_or_gone() { [ -e "$old_file" ] || gone "$old_pid"; }

old_stop() { # when it returns the old program has ended
	umount "$old_mnt" || return 1
	wait_for 60 gone "$old_pid" || return 1
	wait "$old_pid"
}

old_refuses() { # old_refuses SENTENCE: the disk is somebody else's
	local before
	before=$(objects)
	: >"$old_log"
	! old_start "${@:2}"
	ok $? "$1" || old_stop
	has "$(<"$old_log")" 'already mounted' "it says that the disk is already mounted"
	is "$(objects)" "$before" "and touches nothing"
}

we_refuse() { # we_refuse SENTENCE
	local out status before
	before=$(objects)
	out=$(s3backerd -c "$conf" start 2>&1)
	status=$?
	is "$status $(wc -l <<<"$out")" "1 1" "$1: one line, exit 1"
	has "$out" "mounted|holds|token" "it says that another machine has the disk"
	is "$(objects)" "$before" "and touches nothing"
}

# ---- comparing ---------------------------------------------------------------------------------

# Pieces of every kind into each FILE alike: whole blocks, parts, across blocks, the first and the
# last one, text that compresses, noise that does not, and zeros over what was there.
scribble() { # scribble SEED FILE...
	local seed=$1 f
	shift
	random_file "$work/noise" 700000 "$seed"
	yes "line of scribble $seed" | head -c 300000 >"$work/text"
	for f; do
		piece "$work/noise" "$f" 0 700000
		piece "$work/text" "$f" $((2 << 20)) 300000
		piece "$work/noise" "$f" $((4 * 1048576 + seed * 12345)) 12345
		piece "$work/text" "$f" $((6 * 1048576 + seed * BLOCK)) $BLOCK
		piece "$work/noise" "$f" $((7 * 1048576 - 100)) $((seed * 60000))
		piece "$work/text" "$f" $((SIZE - 1000)) 1000
		piece /dev/zero "$f" $BLOCK $BLOCK
		piece /dev/zero "$f" $((6 * 1048576 + (seed - 1) * BLOCK)) $BLOCK
	done
}
new_model() { rm -f "$work/model" && truncate -s $SIZE "$work/model"; }
piece() { # piece FROM FILE OFFSET BYTES
	dd if="$1" of="$2" bs=1M count="$4" seek="$3" iflag=count_bytes,fullblock oflag=seek_bytes \
	    conv=notrunc status=none
}

same_as() { # same_as FILE sentence: the disk, byte for byte, size included
	quietly cmp "$work/model" "$1"
	ok $? "$2"
}

# Every object with the MD5 of its bytes and the headers that belong to the format.  Headers come
# in any case and order, and the test server adds its own.
objects() {
	local key
	server_keys "$prefix" | while read -r key; do
		adm -D "$work/headers" -o "$work/body" "$admin/object/bkt/$key"
		echo "$key $(sum <"$work/body")"
		tr -d '\r' <"$work/headers" |
		    grep -iE '^(content-(encoding|type)|x-amz-(meta|storage|server-side).*):' |
		    sed 's/^[^:]*/\L&/' | LC_ALL=C sort
	done
}
block_objects() { # the same without the mount token
	objects | sed '/s3backer-mounted/,/mount-token/d'
}
wipe_bucket() {
	server_keys | while read -r key; do adm -X DELETE "$admin/object/bkt/$key" >/dev/null; done
}
