# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# ownroot.sh -- a root directory of one's own: after own_root the test runs in a mount and a process
# namespace whose root is an overlay over the machine's.
#
# There it may write to /etc and /run, umount -a sees nothing of others, and whatever it starts ends
# with it.  mount(8) finds our helpers, and PATH our programs.  The test begins again from its first
# line; own_root returns when it is there.

own_root() {
	local d
	[ -z "${IN_ROOT:-}" ] || return 0
	if [ -z "${IN_NAMESPACE:-}" ]; then
		IN_NAMESPACE=1 exec unshare --mount --propagation private --pid --fork --kill-child bash "$0"
	fi
	drop_copies
	mkdir ov && mount -t tmpfs tmpfs ov && mkdir ov/up ov/work ov/root
	mount -t overlay overlay -o "lowerdir=/,upperdir=ov/up,workdir=ov/work" ov/root || skip_all "no overlay here"
	for d in dev sys; do mount --bind /$d ov/root/$d || skip_all "cannot bind /$d"; done
	mount -t proc proc ov/root/proc || skip_all "no proc of our own"
	for d in "$root" "$S3B_BIN"; do # where they are not on the root file system
		[ -n "$(ls -A "ov/root$d" 2>/dev/null)" ] || { mkdir -p "ov/root$d" && mount --bind "$d" "ov/root$d"; }
	done
	mkdir -p "ov/root$work" && mount --bind "$work" "ov/root$work" || skip_all "cannot bind"
	mount -t tmpfs tmpfs ov/root/run
	: >ov/root/etc/fstab
	ln -sf "$S3B_BIN/mount.fuse.s3backerd" "$S3B_BIN/umount.fuse.s3backerd" ov/root/sbin/
	IN_ROOT=1 exec chroot ov/root bash "$root/tests/e2e/${0##*/}"
}
