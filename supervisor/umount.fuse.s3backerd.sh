#!/bin/sh
# SPDX-License-Identifier: ISC
#
# umount.fuse.s3backerd -- umount(8) calls this for a mount of type fuse.s3backerd, as
#
#	umount.fuse.s3backerd DIR [-flnrv] [-N namespace] [-t type]
#
# It stops the disk: returns when the bucket holds everything.  A lazy or forced umount asks for
# the opposite, so it is done at once; s3backerd sees it and uploads the rest by itself.
# Exit codes are those of umount(8): 1 wrong usage, 32 failed.

me=umount.fuse.s3backerd
if [ $# -lt 1 ]; then
	echo "usage: $me DIR [-flnrv]" >&2
	exit 1
fi
dir=$1 atonce=
shift
while getopts flnrvN:t: opt; do
	case $opt in
	f | l) atonce=1 ;;
	n | r | v | t) ;;
	N) echo "$me: other mount namespaces are not supported" >&2; exit 1 ;;
	*) exit 1 ;;
	esac
done
[ -z "$atonce" ] || exec umount -i -l "$dir"

here=$(dirname "$(readlink -f "$0")")
prog=$here/s3backerd
[ -x "$prog" ] || prog=$(PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin command -v s3backerd)
# Without the program, or when nobody answers for this mount, what is left is the plain unmount.
[ -n "$prog" ] || exec umount -i "$dir"
"$prog" --mounted-on "$dir" stop
case $? in
0) exit 0 ;;
3) exec umount -i "$dir" ;;
*) exit 32 ;;
esac
