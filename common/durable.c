/* SPDX-License-Identifier: ISC */
/*
 * durable.c -- the only way bytes reach a disk; see durable.h.
 *
 * Process:  cachemgr, supervisor, uploader (directory store).  Threads: any; no state.
 * Follows:  rename(2) replaces a name in one step, but neither the new bytes nor the new name
 *           are durable before the file and then its directory were synced (fsync(2), NOTES).
 */
#include "common/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "common/cleanup.h"
#include "common/inject.h"

int
pread_full(int fd, void *buf, size_t len, off_t off)
{
	char *p = buf;
	ssize_t n;

	while (len > 0) {
		if ((n = pread(fd, p, len, off)) < 0) {
			if (errno == EINTR)
				continue;
			return (-errno);
		}
		if (n == 0)
			return (-EIO);
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return (0);
}

int
pwrite_full(int fd, const void *buf, size_t len, off_t off)
{
	const char *p = buf;
	ssize_t n;

	if (INJECT_FAIL("durable.pwrite"))
		return (-ENOSPC);
	while (len > 0) {
		if ((n = pwrite(fd, p, len, off)) < 0) {
			if (errno == EINTR)
				continue;
			return (-errno);
		}
		if (n == 0)
			return (-EIO);
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return (0);
}

int
write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	while (len > 0) {
		if ((n = write(fd, p, len)) < 0) {
			if (errno == EINTR)
				continue;
			return (-errno);
		}
		if (n == 0)
			return (-EIO);
		p += n;
		len -= (size_t)n;
	}
	return (0);
}

int
durable_sync(int fd)
{
	INJECT("durable.sync.before");
	if (INJECT_FAIL("durable.sync"))
		return (-EIO);
	/* EINTR: some network file systems; nothing was promised yet, so asking again is safe. */
	while (fdatasync(fd) != 0)
		if (errno != EINTR)
			return (-errno);
	INJECT("durable.sync.after");
	return (0);
}

int
durable_open_direct(int fd)
{
	char path[64];
	int direct;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
	return (direct < 0 ? -errno : direct);
}

int
durable_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	int error;

	INJECT("durable.sync.before");
	if (INJECT_FAIL("durable.sync"))
		return (-EIO);
	error = pwrite_full(fd, buf, len, off);
	INJECT("durable.sync.after");
	return (error);
}

int
durable_sync_dir(int dirfd)
{
	while (fsync(dirfd) != 0)
		if (errno != EINTR)
			return (-errno);
	return (0);
}

/* Opens the directory that holds `name`, seen from dirfd. */
static int
open_parent(int dirfd, const char *name, int *ret_fd)
{
	AUTO_FREE char *copy = strdup(name);
	const char *dir = ".";
	char *slash;
	int fd;

	if (copy == NULL)
		return (-ENOMEM);
	if ((slash = strrchr(copy, '/')) == copy)
		dir = "/";
	else if (slash != NULL) {
		*slash = '\0';
		dir = copy;
	}
	if ((fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return (-errno);
	*ret_fd = fd;
	return (0);
}

int
durable_sync_parent(int dirfd, const char *name)
{
	AUTO_FD int parent = -1;
	int r;

	if ((r = open_parent(dirfd, name, &parent)) < 0)
		return (r);
	return (durable_sync_dir(parent));
}

int
durable_rename(int fd, int dirfd, const char *from, const char *to)
{
	int r;

	/* fsync, not fdatasync: mode and owner must be there too when the name appears. */
	while (fsync(fd) != 0)
		if (errno != EINTR)
			return (-errno);
	INJECT("durable.rename.before");
	if (renameat(dirfd, from, dirfd, to) != 0)
		return (-errno);
	INJECT("durable.rename.after");
	if ((r = durable_sync_parent(dirfd, to)) < 0)
		return (r);
	return (0);
}

int
durable_write_file(int dirfd, const char *name, const void *buf, size_t len, mode_t mode)
{
	AUTO_FREE char *temp = NULL;
	AUTO_FD int fd = -1;
	int r;

	/* Random, so that a leftover of a crash, or another writer, is never in the way. */
	if (asprintf(&temp, "%s.%08x.tmp", name, arc4random()) < 0) {
		temp = NULL;
		return (-ENOMEM);
	}
	if ((fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)) < 0)
		return (-errno);
	if (fchmod(fd, mode) != 0) { /* the umask does not decide */
		r = -errno;
		goto fail;
	}
	if ((r = write_full(fd, buf, len)) < 0 || (r = durable_rename(fd, dirfd, temp, name)) < 0)
		goto fail;
	return (0);
fail:
	unlinkat(dirfd, temp, 0);
	return (r);
}

int
durable_unlink(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) != 0 && errno != ENOENT)
		return (-errno);
	return (durable_sync_parent(dirfd, name));
}
