/* SPDX-License-Identifier: ISC */
/*
 * durable.h -- the only way bytes reach a disk: the seam at which crashes are tested.
 *
 * Process:  cachemgr, supervisor, uploader (directory store).  Threads: any.
 * Promise:  when durable_sync(), durable_rename() or durable_write_file() return 0, what was
 *           written before survives a power cut.  A write alone promises nothing.
 * Errors:   0 or -errno.  A failed sync is final: the kernel may have dropped the pages, so the
 *           caller must write them again or give the file up, never just sync again.
 *           -EIO also stands for an end of file where bytes were expected.
 */
#ifndef S3B_COMMON_DURABLE_H
#define S3B_COMMON_DURABLE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

int	pread_full(int fd, void *buf, size_t len, off_t off);
int	pwrite_full(int fd, const void *buf, size_t len, off_t off);
int	write_full(int fd, const void *buf, size_t len);	/* pipes, sockets, new files */

int	durable_sync(int fd);		/* fdatasync: data, and the size if that is needed */
/*
 * The same file once more, for writes that are durable when they return and leave the page cache alone
 * (O_DIRECT and O_DSYNC; open(2)).  The caller owns it.  -errno: not on this file system, or not here.
 */
int	durable_open_direct(int fd);
/* On such a descriptor; buf, len and off are multiples of 4 KiB.  -EINVAL: the disk wants larger ones. */
int	durable_pwrite(int fd, const void *buf, size_t len, off_t off);
int	durable_sync_dir(int dirfd);
int	durable_sync_parent(int dirfd, const char *name); /* makes the name of a new file durable */

/*
 * Make the file open as `fd` under the name `from` appear as `to`, complete or not at all;
 * both names are relative to dirfd (AT_FDCWD with absolute names: the directory of `to`).
 */
int	durable_rename(int fd, int dirfd, const char *from, const char *to);

/* A whole small file, replaced in one step. */
int	durable_write_file(int dirfd, const char *name, const void *buf, size_t len, mode_t mode);

/* Remove a name for good; a name that is not there is success. */
int	durable_unlink(int dirfd, const char *name);

#endif
