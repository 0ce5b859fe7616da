/* SPDX-License-Identifier: ISC */
/*
 * crashfs.h -- replaces common/durable.c in a test: a file that forgets what was not synced.
 *
 * Every write is applied to the real file, as the page cache would, and its old sectors are kept aside
 * until the next sync.  At the cut, each of those sectors is kept or forgotten by a coin, and the
 * image that a machine would find after a power loss is left in crash_image.
 *
 * Threads: any; one lock.  The cut may fall on any write or sync, in any thread.
 */
#ifndef S3B_TESTS_CRASHFS_H
#define S3B_TESTS_CRASHFS_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/durable.h"

#define CRASH_SECTOR 512u

struct crash_old { /* a sector as it was at the last sync */
	uint64_t sector;
	uint8_t bytes[CRASH_SECTOR];
};

static struct {
	pthread_mutex_t lock;
	bool on;
	uint64_t ops, cut_at; /* the cut falls before operation number cut_at */
	bool cut;
	uint64_t rng;
	struct crash_old *old;
	size_t nold, capold;
	uint8_t *image;
	size_t image_len;
	bool lie; /* mutation: fdatasync does nothing */
	bool forgets_all; /* at the cut, and not by a coin */
	bool no_direct; /* the file system has no O_DIRECT */
	uint64_t direct_ends; /* nor has it from this operation on */
} crash = {.lock = PTHREAD_MUTEX_INITIALIZER, .direct_ends = UINT64_MAX};

static uint32_t
crash_rnd(void)
{
	crash.rng = crash.rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((uint32_t)(crash.rng >> 33));
}

static struct crash_old *
crash_find(uint64_t sector)
{
	for (size_t i = crash.nold; i-- > 0;)
		if (crash.old[i].sector == sector)
			return (&crash.old[i]);
	return (NULL);
}

static void
crash_keep_old(int fd, uint64_t off, uint64_t len)
{
	for (uint64_t s = off / CRASH_SECTOR; s * CRASH_SECTOR < off + len; s++) {
		if (crash_find(s) != NULL)
			continue;
		if (crash.nold == crash.capold) {
			crash.capold = crash.capold > 0 ? crash.capold * 2 : 256;
			crash.old = realloc(crash.old, crash.capold * sizeof(*crash.old));
			if (crash.old == NULL)
				abort();
		}
		crash.old[crash.nold].sector = s;
		(void)!pread(
		    fd, crash.old[crash.nold].bytes, CRASH_SECTOR, (off_t)(s * CRASH_SECTOR));
		crash.nold++;
	}
}

/* These sectors are on the disk. */
static void
crash_settle(uint64_t off, uint64_t len)
{
	for (size_t i = crash.nold; i-- > 0;)
		if (crash.old[i].sector * CRASH_SECTOR >= off &&
		    crash.old[i].sector * CRASH_SECTOR < off + len)
			crash.old[i] = crash.old[--crash.nold];
}

/* The power goes: some unsynced sectors made it, some did not. */
static void
crash_cut(int fd)
{
	unsigned bias = crash_rnd() % 5; /* sometimes nearly all, sometimes nearly none */

	crash.cut = true;
	free(crash.image);
	crash.image_len = (size_t)lseek(fd, 0, SEEK_END);
	crash.image = malloc(crash.image_len);
	if (crash.image == NULL ||
	    pread(fd, crash.image, crash.image_len, 0) != (ssize_t)crash.image_len)
		abort();
	for (size_t i = 0; i < crash.nold; i++)
		if (crash.forgets_all || crash_rnd() % 4 >= bias)
			memcpy(crash.image + crash.old[i].sector * CRASH_SECTOR, crash.old[i].bytes,
			    CRASH_SECTOR);
}

static void
crash_op(int fd)
{
	if (crash.on && !crash.cut && crash.ops++ == crash.cut_at)
		crash_cut(fd);
}

int
pwrite_full(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n;

	pthread_mutex_lock(&crash.lock);
	crash_op(fd);
	if (crash.on && !crash.cut)
		crash_keep_old(fd, (uint64_t)off, len);
	n = pwrite(fd, buf, len, off);
	pthread_mutex_unlock(&crash.lock);
	return (n == (ssize_t)len ? 0 : -EIO);
}

int
pread_full(int fd, void *buf, size_t len, off_t off)
{
	return (pread(fd, buf, len, off) == (ssize_t)len ? 0 : -EIO);
}

int
durable_sync(int fd)
{
	pthread_mutex_lock(&crash.lock);
	crash_op(fd);
	if (!crash.cut && !crash.lie)
		crash.nold = 0;
	pthread_mutex_unlock(&crash.lock);
	return (0);
}

int
durable_open_direct(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (crash.no_direct ? -EINVAL : open(path, O_RDWR | O_CLOEXEC));
}

/* The cut may fall before it, into it, or behind it. */
int
durable_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	int error;

	if (((uintptr_t)buf | len | (uintptr_t)off) % 4096 != 0)
		abort();
	if (crash.on && !crash.cut && crash.ops >= crash.direct_ends)
		return (-EINVAL);
	error = pwrite_full(fd, buf, len, off);
	pthread_mutex_lock(&crash.lock);
	crash_op(fd);
	if (!crash.cut && !crash.lie)
		crash_settle((uint64_t)off, len);
	pthread_mutex_unlock(&crash.lock);
	return (error);
}

/* The name of the file is not what is forgotten here. */
int
durable_sync_parent(int dirfd, const char *name)
{
	(void)dirfd;
	(void)name;
	return (0);
}

#endif
