# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# start.sh: what the start scripts of real servers have in common.  They run in the foreground, their
# daemons are their children and end with them.

[ $# = 2 ] || { echo "usage: $0 DIR PORT" >&2; exit 2; }
mkdir -p "$1" || exit 1
DIR=$(cd "$1" && pwd -P) PORT=$2
# Names of UNIX sockets end at 108 bytes.
[ ${#DIR} -le 70 ] || { echo "$0: $DIR: longer than 70 characters" >&2; exit 1; }
S3_ID=AKIDEXAMPLE S3_SECRET=wJalrXUtnFEMI+K7MDENG+bPxRfiCYEXAMPLEKEY
S3_ID2=AKIDOTHER S3_SECRET2=otherotherother S3_BUCKET=bkt
declare -A keeper=()
trap 'for k in "${keeper[@]}"; do kill -KILL -- "-$k" 2>/dev/null; done' EXIT

fail() {
	echo "$0: $* (see $DIR/start.log)" >&2
	exit 1
}

needs() { # needs COMMAND...: a machine that has not got them skips
	local c
	for c; do command -v "$c" >/dev/null || { echo "$0: no $c (make deps-servers)" >&2; exit 77; }; done
}

s3() { # s3 METHOD URL [CURL OPTIONS]: prints the status.  This curl wants the hash's header given.
	local method=(-X "$1")
	[ "$1" != HEAD ] || method=(-I)
	curl -s -o "${OUT:-/dev/null}" -w '%{http_code}' --noproxy '*' -m 30 "${method[@]}" \
	    --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_ID:$S3_SECRET" \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "${@:3}" "$2"
}

ready() { # ready URL [TLS-URL]: wait, make the bucket, write DIR/env
	local n=0
	until [ "$(s3 HEAD "$1/$S3_BUCKET")" = 200 ] || [ "$(s3 PUT "$1/$S3_BUCKET")" = 200 ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || fail "$1 does not make a bucket"
		sleep 0.1
	done
	cat >"$DIR/env.new" <<-E
	S3_URL=$1 S3_TLS_URL=${2:-} S3_CACERT=$DIR/tls.crt S3_BUCKET=$S3_BUCKET S3_DIR=$DIR
	S3_ID=$S3_ID S3_SECRET=$S3_SECRET S3_ID2=$S3_ID2 S3_SECRET2=$S3_SECRET2
	E
	mv "$DIR/env.new" "$DIR/env"
}

# Each daemon has a keeper, which waits for it and no other: `wait -n` does not return for who died
# while it was not waiting.  A keeper leads a process group, so that none of the two is left over.
up() { # up NAME: run_one NAME becomes the daemon, again when it has died; its number is in DIR/NAME.pid
	set -m
	(
		set +m
		trap - EXIT TERM INT
		while :; do
			run_one "$1" </dev/null >>"$DIR/start.log" 2>&1 &
			echo $! >"$DIR/$1.pid"
			wait $!
			sleep 0.2 # a daemon that cannot start must not spin
		done
	) 2>>"$DIR/start.log" &
	keeper[$1]=$!
	set +m
}

down() {
	local p pid
	trap '' TERM INT
	rm -f "$DIR/env"
	kill -TERM "${keeper[@]}"
	# The gateway first: the others answer it while it ends.
	for p in "$@"; do
		pid=$(cat "$DIR/$p.pid")
		kill -CONT "$pid" 2>/dev/null
		kill -TERM "$pid" 2>/dev/null && timeout 20 tail --pid="$pid" -f /dev/null
		kill -KILL -- "-${keeper[$p]}" 2>/dev/null
	done
	exit 0
}

stay() { # stay NAME...: until TERM; then they end, the last first
	local p last=()
	for p; do last=("$p" "${last[@]}"); done
	trap 'down "${last[@]}"' TERM INT
	while :; do wait; done
}
