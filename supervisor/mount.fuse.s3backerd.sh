#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mount.fuse.s3backerd -- mount(8) calls this for an entry of /etc/fstab like
#
#	/etc/s3backer.conf  /mnt/disk  fuse.s3backerd  _netdev,nofail,key=value  0 0
#
# as: mount.fuse.s3backerd SPEC DIR [-sfnv] [-N namespace] [-o options] [-t type]
# Exit codes are those of mount(8): 1 wrong usage, 32 failed.

me=mount.fuse.s3backerd
if [ $# -lt 2 ]; then
	echo "usage: $me CONFIG DIR [-fnsv] [-o OPTIONS]" >&2
	exit 1
fi
config=$1 dir=$2 options= fake=
shift 2
while getopts fnsvN:o:t: opt; do
	case $opt in
	f) fake=1 ;;
	o) options=$options${options:+,}$OPTARG ;;
	n | s | v | t) ;;
	N) echo "$me: other mount namespaces are not supported" >&2; exit 1 ;;
	*) exit 1 ;;
	esac
done
[ -z "$fake" ] || exit 0

# Beside this script when run from a build, else where it was installed.
here=$(dirname "$(readlink -f "$0")")
prog=$here/s3backerd
[ -x "$prog" ] || prog=$(PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin command -v s3backerd)
if [ -z "$prog" ]; then
	echo "$me: s3backerd is not installed" >&2
	exit 32
fi
comma=$(printf %s "$dir" | sed 's/,/\\,/g')
"$prog" -c "$config" ${options:+-o "$options"} -o "mountPoint=$comma" start || exit 32
