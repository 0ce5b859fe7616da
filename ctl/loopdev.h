/* SPDX-License-Identifier: ISC */
/*
 * loopdev.h -- a loop device on the disk's file: loop(4).
 *
 * Process:  s3backerctl, as root.   Threads: one.   Errors: 0 or -errno.
 * Owns:     struct loopdev its descriptor.  The device is made with LO_FLAGS_AUTOCLEAR: it ends with
 *           the last user.  So whatever fails or is killed between making it and mounting it leaves
 *           nothing, and after a plain umount(8) it is gone as well.
 */
#ifndef S3B_CTL_LOOPDEV_H
#define S3B_CTL_LOOPDEV_H

#include <stdbool.h>
#include <stddef.h>

struct loopdev {
	int	fd;		/* -1: none */
	char	path[32];	/* /dev/loop0 */
	bool	direct;		/* the kernel agreed to direct I/O */
};

/* A new one, with direct I/O where the file allows it, and this logical sector size. */
int	loopdev_make(const char *file, bool read_only, unsigned sector, struct loopdev *ret_loop);
void	loopdev_close(struct loopdev *);	/* idempotent */

/* The first device on `file`.  -ENOENT: there is none. */
int	loopdev_find(const char *file, char dev[32]);
/* The file behind a device; -ENXIO: it has none. */
int	loopdev_backing(const char *dev, char *buf, size_t len);
/* Ends a device, and waits until it has ended.  -EBUSY: somebody still has it. */
int	loopdev_end(const char *dev);

#endif
