/* SPDX-License-Identifier: ISC */
/*
 * slot_io.h -- the bytes of one slot in the cache, as one transfer sees them.
 *
 * A cache in memory is mapped: no system call for a piece, no lock of the file, which all uploaders would
 * want at once, and a hash reads the bytes where they are.  A cache file is read and written, as its disk
 * may have errors, which a mapping only tells by SIGBUS.
 *
 * Process:  uploader.  Threads: any; a slot_io is read-only once made.
 * Owns:     nothing; the descriptor is the role's, and the mapping lasts as long as the process.
 * Why safe: a slot given for a download is nobody else's until its DONE; a slot given for an upload
 *           is frozen, so neither its bytes nor its valid map change (slot_table.h, H4).
 * Errors:   -errno; -EIO also where the file ends early.
 */
#ifndef S3B_UPLOADER_SLOT_IO_H
#define S3B_UPLOADER_SLOT_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/shm.h"

struct slot_table;

struct slot_cache {
	int	 fd;
	uint8_t *map;			/* of what slots lie in, and nothing else; NULL: a file */
};

struct slot_io {
	int	 fd;
	uint8_t *mem;			/* instead of the file: the block in memory */
	uint64_t base;			/* where the slot begins in the file */
	uint32_t size;			/* of the block */
	uint32_t sub_size;
	bool	 sparse;		/* sub-blocks that are not in `valid` are zero */
	uint64_t valid[IPC_SUB_MAX / 64];
};

/* Before the process is confined. */
int	slot_cache_open(struct slot_cache *, int fd, const struct shm *);

void	slot_io_init(struct slot_io *, const struct shm *, const struct slot_cache *, uint32_t slot);
/* From now on sub-blocks that are not valid in `slot` read as zeros. */
void	slot_io_sparse(struct slot_io *, const struct slot_table *, uint32_t slot);

int	slot_io_read(const struct slot_io *, uint64_t off, void *buf, size_t len);
/* Where they lie, if they lie in memory as they would be read; else NULL. */
const uint8_t *slot_io_at(const struct slot_io *, uint64_t off, size_t len);
int	slot_io_write(const struct slot_io *, uint64_t off, const void *buf, size_t len);

#endif
