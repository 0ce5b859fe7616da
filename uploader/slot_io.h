/* SPDX-License-Identifier: ISC */
/*
 * slot_io.h -- the bytes of one slot in the cache file, as one transfer sees them.
 *
 * Process:  uploader.  Threads: any; a slot_io is read-only once made.
 * Owns:     nothing; the descriptor is the role's.
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

struct slot_io {
	int	 fd;
	uint8_t *mem;			/* instead of the file: the block in memory */
	uint64_t base;			/* where the slot begins in the file */
	uint32_t size;			/* of the block */
	uint32_t sub_size;
	bool	 sparse;		/* sub-blocks that are not in `valid` are zero */
	uint64_t valid[IPC_SUB_MAX / 64];
};

void	slot_io_init(struct slot_io *, const struct shm *, int fd, uint32_t slot);
/* From now on sub-blocks that are not valid in `slot` read as zeros. */
void	slot_io_sparse(struct slot_io *, const struct slot_table *, uint32_t slot);

int	slot_io_read(const struct slot_io *, uint64_t off, void *buf, size_t len);
int	slot_io_write(const struct slot_io *, uint64_t off, const void *buf, size_t len);

#endif
