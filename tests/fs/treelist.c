/* SPDX-License-Identifier: ISC */
/*
 * treelist.c -- a line for everything in a tree, in the order of names, to be compared with another.
 *
 *	treelist DIRECTORY
 *
 * Type and mode, owner, links, size and hash of the contents, device, target, flags that somebody has set,
 * attributes.  Times only where they were set to one long ago.  Not: what a file system decides by
 * itself, as inode numbers, blocks, sizes of directories.  Exit: 0, 1 when something cannot be read.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fs/seeded.h"

#define LONG_AGO 1000000000 /* 2001: nobody's clock */

static int bad;
static uint8_t buf[1 << 16];

static void
cannot(const char *path)
{
	warn("%s", path);
	bad = 1;
}

static void
contents(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), flags = 0;
	uint64_t hash = SEEDED_HASH;
	size_t have = 0;
	ssize_t n = 0;

	if (fd < 0) {
		cannot(path);
		return;
	}
	/* Whole buffers: the hash knows where a piece ends. */
	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0)
		if ((have += (size_t)n) == sizeof(buf)) {
			hash = seeded_hash(hash, buf, have);
			have = 0;
		}
	if (n < 0)
		cannot(path);
	printf(" %016llx", (unsigned long long)seeded_hash(hash, buf, have));
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	    (flags & (FS_NODUMP_FL | FS_NOATIME_FL)) != 0)
		printf(" flags %x", flags & (FS_NODUMP_FL | FS_NOATIME_FL));
	(void)close(fd);
}

static int
by_text(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static void
attributes(const char *path)
{
	char names[4096], *sorted[256] = {NULL}, value[4096];
	ssize_t len = llistxattr(path, names, sizeof(names));
	size_t n = 0;

	for (char *p = names; len > 0 && p < names + len && n < 256; p += strlen(p) + 1)
		sorted[n++] = p;
	qsort(sorted, n, sizeof(sorted[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		ssize_t got = lgetxattr(path, sorted[i], value, sizeof(value));

		if (got < 0)
			cannot(path);
		else
			printf(" %s=%zd:%016llx", sorted[i], got,
			    (unsigned long long)seeded_hash(SEEDED_HASH, value, (size_t)got));
	}
}

static void
show(const char *path, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n;

	printf("%s %o %u:%u links %lu", path, st->st_mode, st->st_uid, st->st_gid,
	    (unsigned long)st->st_nlink);
	if (S_ISREG(st->st_mode)) {
		printf(" size %lld", (long long)st->st_size);
		contents(path);
	} else if (S_ISLNK(st->st_mode)) {
		if ((n = readlink(path, target, sizeof(target) - 1)) < 0)
			cannot(path);
		printf(" -> %.*s", n < 0 ? 0 : (int)n, target);
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		printf(" device %u:%u", major(st->st_rdev), minor(st->st_rdev));
	}
	if (st->st_mtime < LONG_AGO)
		printf(" mtime %lld", (long long)st->st_mtime);
	attributes(path);
	printf("\n");
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return (strcmp((*a)->d_name, (*b)->d_name));
}

static void
walk(const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, by_name);
	char below[PATH_MAX];
	struct stat st;

	if (n < 0) {
		cannot(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    strcmp(name, "lost+found") != 0) {
			(void)snprintf(below, sizeof(below), "%s/%s", path, name);
			if (lstat(below, &st) < 0)
				cannot(below);
			else {
				show(below, &st);
				if (S_ISDIR(st.st_mode))
					walk(below);
			}
		}
		free(list[i]);
	}
	free(list);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: treelist DIRECTORY");
	if (chdir(argv[1]) < 0)
		err(1, "%s", argv[1]);
	walk(".");
	return (bad || fflush(stdout) != 0);
}
