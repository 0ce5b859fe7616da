/* SPDX-License-Identifier: ISC */
/*
 * image.h -- files as programs see them, and what a disk may hold of them after a power cut.
 *
 * Process:  forgetfs.
 * Threads:  any, under one lock that the caller (fs.c, control.c) holds.
 * Errors:   0 or -errno; running out of memory ends the process.
 *
 * Per 512-byte sector that was written since it was last synced there is its durable content and the
 * versions written since.  A cut chooses one of them for each, by a seed: the kernel writes pages
 * back in any order at any time, disks reorder, and a sector is written whole or not at all.
 *
 * Names are a unit: at a cut the directory is as it was at its last fsync, or as it is.  A size is
 * the file's own.  After an fsync that failed the sectors are clean for the kernel and lost for the
 * disk, as on Linux: no later fsync brings them back.
 */
#ifndef S3B_TESTS_FORGETFS_IMAGE_H
#define S3B_TESTS_FORGETFS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define FF_SECTOR 512u
#define FF_PAGE	  4096u

enum ff_mode {
	FF_FORGET,  /* nothing that was not synced */
	FF_KEEP,    /* all of it */
	FF_SECTORS, /* each sector by itself */
	FF_OPS,	    /* each write wholly, not at all, or torn */
	FF_PREFIX,  /* what was written up to some moment */
	FF_SUFFIX,  /* only what was written after it */
	FF_AUTO,    /* one of these, by the seed */
};

struct ff_file {
	LIST_ENTRY(ff_file) link;
	uint64_t ino;
	char *name, *disk_name; /* NULL: none; the second is what the disk knows */
	mode_t mode;
	uint64_t size, disk_size;
	struct page **page; /* NULL: zeros */
	uint64_t npages;
	unsigned opens;
};
LIST_HEAD(ff_list, ff_file);

struct image {
	struct ff_list files;
	uint64_t next_ino;
	uint64_t op; /* number of the write being done */
	struct sec **unsynced;
	size_t nunsynced, cap;
};

void image_init(struct image *);
struct ff_file *image_find(struct image *, const char *name);
struct ff_file *image_by_ino(struct image *, uint64_t ino);
struct ff_file *image_create(struct image *, const char *name, mode_t mode);
void image_unlink(struct image *, struct ff_file *);
void image_rename(struct image *, struct ff_file *, const char *to);
void image_closed(struct image *, struct ff_file *); /* forgotten if it has no name and no user */

size_t image_read(const struct ff_file *, void *buf, size_t len, uint64_t off);
void image_write(struct image *, struct ff_file *, const void *buf, size_t len, uint64_t off);
void image_zero(struct image *, struct ff_file *, uint64_t off, uint64_t len);
void image_resize(struct image *, struct ff_file *, uint64_t size);

void image_sync(struct image *, struct ff_file *);
void image_sync_range(struct image *, struct ff_file *, uint64_t off, uint64_t len);
void image_sync_dir(struct image *);
void image_sync_failed(struct image *, struct ff_file *, uint64_t seed);

bool image_mode_of(const char *word, enum ff_mode *ret_mode);
void image_cut(struct image *, uint64_t seed, enum ff_mode);
/* The files a cut would leave, written into a directory; the image stays as it is. */
int image_save(struct image *, uint64_t seed, enum ff_mode, int dirfd);

#endif
