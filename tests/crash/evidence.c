/* SPDX-License-Identifier: ISC */
/*
 * evidence.c -- what a power cut left (cache files and bucket), kept aside, and a disk made of it.
 *
 *	EVIDENCE/cache, cache.state	the image of forgetfs
 *	EVIDENCE/bucket/		the objects at that moment
 *	EVIDENCE/model			what each sector may be
 *
 * check() never changes the evidence, so the same check can be done again: powercut -e EVIDENCE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/evidence.h"

/* Holes stay holes. */
static int
copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, error = 0;
	off_t at = 0, end;
	struct stat st;

	if (in < 0)
		return (errno == ENOENT ? 0 : -errno);
	out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0 || fstat(in, &st) < 0 || ftruncate(out, st.st_size) < 0)
		error = -errno;
	while (error == 0 && (at = lseek(in, at, SEEK_DATA)) >= 0) {
		off_t from_at = at, to_at = at;

		end = lseek(in, at, SEEK_HOLE);
		while (error == 0 && from_at < end) {
			ssize_t n =
			    copy_file_range(in, &from_at, out, &to_at, (size_t)(end - from_at), 0);

			error = n <= 0 ? -EIO : 0;
		}
		at = end;
	}
	(void)close(in);
	if (out >= 0)
		(void)close(out);
	return (error);
}

static void
join(char *buf, const char *dir, const char *name)
{
	(void)snprintf(buf, PATH_MAX, "%.3900s/%s", dir, name);
}

int
evidence_take(const char *dir, const char *bucket, uint64_t seed)
{
	char to[PATH_MAX];

	if (mkdir(dir, 0700) < 0)
		return (-errno);
	join(to, dir, "bucket");
	if (store_copy(bucket, to) < 0)
		return (-EIO);
	return (forget("save %llu auto %s", (unsigned long long)seed, dir));
}

static int
clone_of(const char *dir, const char *work, struct place *ret_place)
{
	char from[PATH_MAX], cache[PATH_MAX];
	int error;

	(void)mkdir(work, 0700);
	join(from, dir, "bucket");
	join(cache, work, "bucket");
	if ((error = store_copy(from, cache)) < 0)
		return (error);
	join(cache, work, "cache.state");
	join(from, dir, "cache.state");
	if ((error = copy_file(from, cache)) < 0)
		return (error);
	join(cache, work, "cache");
	join(from, dir, "cache");
	if ((error = copy_file(from, cache)) < 0)
		return (error);
	(void)snprintf(from, sizeof(from), "%.3900s", dir);
	if (strrchr(from, '/') == NULL)
		return (-EINVAL);
	strcpy(strrchr(from, '/'), "/bucket");
	return (place_make(ret_place, work, cache, from));
}

/* Everything must be in the bucket, which is read without the product, and from an empty cache. */
static void
check_bucket(const struct place *p, const uint8_t *disk, bool cold, const char *where)
{
	uint8_t *again = malloc((size_t)shape.sectors * SECTOR);
	int error;

	if (again == NULL || disk_ctl(p, "flush") < 0) {
		fail("%s: cannot flush to the bucket", where);
		free(again);
		return;
	}
	error = store_read(p->bucket, again);
	if (error < 0)
		fail("%s: the bucket: %s", where, strerror(-error));
	for (uint32_t s = 0; error == 0 && s < shape.sectors; s++)
		if (memcmp(again + (size_t)s * SECTOR, disk + (size_t)s * SECTOR, SECTOR) != 0) {
			fail("%s: block %u sector %u was read as one thing and is another in the "
			     "bucket",
			    where, s / shape.per_block, s % shape.per_block);
			break;
		}
	if (cold && !failed()) {
		disk_kill_begin();
		disk_kill_end(p);
		(void)unlink(p->cache);
		if (disk_start(p) < 0 || disk_read(p, again) < 0 ||
		    memcmp(again, disk, (size_t)shape.sectors * SECTOR) != 0)
			fail("%s: an empty cache shows another disk", where);
	}
	free(again);
}

void
evidence_check(const char *dir, const char *work, bool cold)
{
	uint8_t *disk = malloc((size_t)shape.sectors * SECTOR);
	struct place p;
	int error;

	if (disk == NULL || (error = clone_of(dir, work, &p)) < 0) {
		fail("%s: cannot make a disk of it", dir);
		free(disk);
		return;
	}
	boot_new();
	if (disk_start(&p) < 0)
		fail("%s: the disk does not start: see %s", dir, p.log);
	else if ((error = disk_read(&p, disk)) < 0)
		fail("%s: cannot be read: %s", dir, strerror(-error));
	else if (model_allows(disk, dir))
		check_bucket(&p, disk, cold, dir);
	disk_kill_begin();
	disk_kill_end(&p);
	free(disk);
	if (!failed())
		(void)remove_tree(work);
}
