/* SPDX-License-Identifier: ISC */
/*
 * holders.h -- who keeps the mount busy: for the line that refuses a stop.
 *
 * Open files, working and root directories, mapped files, from /proc; loop devices, from
 * /sys/block.  What lies on a loop device is named with it when it is mounted.  Never touches the
 * mount itself: only names and the readlink(2) of /proc are looked at.
 */
#ifndef S3B_COMMON_HOLDERS_H
#define S3B_COMMON_HOLDERS_H

#include <stddef.h>

/* Fills buf with "/dev/loop0 (mounted on /data), fio (pid 812)"; empty if nobody was found. */
void	holders_describe(const char *dir, char *buf, size_t len);

#endif
