#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The link line is the wall: who is not linked with a library cannot use it.

NEEDS="ldd"
. "$(dirname "$0")/lib.sh"

case ${S3B_VARIANT:-} in *address* | *thread*) skip_all "sanitizers bring their own libraries" ;; esac
libs() { ldd "$S3B_BIN/$1" | awk '{ print $1 }'; }
without() { # without PROGRAM REGEX sentence
	is "$(libs "$1" | grep -E "$2")" "" "$1: $3"
}

without s3backer-frontend 'curl|gcrypt|ssl|crypto' "no network, no keys"
without s3backer-cachemgr 'curl|fuse|ssl' "no network, no FUSE"
without s3backer-uploader 'fuse' "no FUSE"
without s3backerd 'curl|gcrypt|ssl|crypto' "no network"
without s3backerctl 'curl|gcrypt|fuse|ssl' "no network, no FUSE"
has "$(libs s3backer-uploader)" libcurl "the uploader is the one with libcurl"
has "$(libs s3backer-frontend)" libfuse3 "the frontend is the one that talks FUSE"
done_testing
