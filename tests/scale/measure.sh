# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154
#
# measure.sh -- figures of the scale tests, after e2e/lib.sh: each is a comment of the TAP output, and a row
# of $FIGURES ("what | figure |") if that is set.

figure() { # figure WHAT VALUE
	note "$1: $2"
	[ -z "${FIGURES:-}" ] || echo "| $1 | $2 |" >>"$FIGURES"
}

begin() { begun=$(now_ms); }
took() { elapsed=$(($(now_ms) - begun)); } # milliseconds, sets elapsed

role_field() { # role_field ROLE FIELD: kilobytes, of smaps_rollup
	awk -v f="$2:" '$1 == f { print $2 }' "/proc/$(role_pid "$1")/smaps_rollup"
}
memory_line() { # anonymous memory and shared memory touched, of each role
	local r
	for r in frontend cachemgr uploader.0; do
		printf '%s %s + %s kB, ' "$r" "$(role_field "$r" Pss_Anon)" "$(role_field "$r" Pss_Shmem)"
	done
}
surveyed() { grep -q 'survey of the bucket is complete' "$run/log"; }
