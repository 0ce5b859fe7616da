/* SPDX-License-Identifier: ISC */
/*
 * store.c -- the bucket as a directory: copied at the moment of a cut, and read without the product.
 *
 * Objects of a directory store are replaced by rename, never changed, so a copy is made of links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/powercut.h"

int
store_copy(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;
	int fd, error = 0;

	if (d == NULL || mkdir(to, 0700) < 0)
		return (-errno);
	fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' || strcmp(e->d_name, ".s3backer") == 0)
			if (linkat(dirfd(d), e->d_name, fd, e->d_name, 0) < 0)
				error = -errno;
	(void)closedir(d);
	(void)close(fd);
	return (error);
}

int
store_read(const char *bucket, uint8_t *ret_disk)
{
	memset(ret_disk, 0, (size_t)shape.sectors * SECTOR);
	for (uint32_t b = 0; b < shape.nblocks; b++) {
		char path[PATH_MAX + 16];
		ssize_t n;
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%08x", bucket, b);
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
			if (errno == ENOENT)
				continue;
			return (-errno);
		}
		n = read(fd, ret_disk + (size_t)b * shape.block_size, shape.block_size);
		(void)close(fd);
		if (n != (ssize_t)shape.block_size)
			return (-EIO);
	}
	return (0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return (remove(path));
}

int
remove_tree(const char *dir)
{
	/* FTW_MOUNT: whatever is mounted there by mistake is not ours to empty. */
	return (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT));
}
