/* SPDX-License-Identifier: ISC */
/*
 * find.h -- which running disk is mounted on a directory: for umount(8)'s helper, which is told
 * nothing else.
 */
#ifndef S3B_SUPERVISOR_FIND_H
#define S3B_SUPERVISOR_FIND_H

struct client_target;

/*
 * The mount's source is its configuration; options in /etc/fstab may move runDir.  Else every
 * socket in the usual place is asked.  0, or -ENOENT.  ret->config is not set.
 */
int	find_by_mount(const char *dir, struct client_target *ret_target);

#endif
