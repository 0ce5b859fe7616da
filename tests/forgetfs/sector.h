/* SPDX-License-Identifier: ISC */
/*
 * sector.h -- one unsynced sector: what the disk holds, and what was written since.
 *
 * Private to image.c, sector.c and cut.c.
 */
#ifndef S3B_TESTS_FORGETFS_SECTOR_H
#define S3B_TESTS_FORGETFS_SECTOR_H

#include "tests/forgetfs/image.h"

#define FF_VERSIONS	    4 /* kept per sector; of more, the last ones but one go */
#define FF_SECTORS_PER_PAGE (FF_PAGE / FF_SECTOR)

struct version {
	uint64_t op;
	uint8_t bytes[FF_SECTOR];
};

struct sec {
	struct ff_file *f;
	uint64_t sector;
	size_t index;  /* in image.unsynced */
	unsigned nver; /* 0: lost by an fsync that failed; the disk holds base, programs see now */
	struct version *ver[FF_VERSIONS]; /* oldest first; the last equals what programs see */
	uint8_t base[FF_SECTOR];
};

struct page {
	uint8_t now[FF_PAGE];
	struct sec *sec[FF_SECTORS_PER_PAGE];
};

void sector_write(struct image *, struct ff_file *, struct page *, uint64_t sector, size_t at,
    const uint8_t *buf, size_t len);
void sector_free(struct image *, struct sec *); /* what programs see is durable */
void sector_drop_all(struct image *, struct ff_file *);

#endif
