/* SPDX-License-Identifier: ISC */
/*
 * hit.h -- reads and writes that need nobody else: the slot is there, so use it.
 *
 * Process:  frontend.      Threads:  any, each with a lane (and so a hazard line) of its own.
 * Follows:  rules H1 to H9 of ipc/slot_table.h.
 * Results:  HIT, HIT_ZERO (known to be zero, no slot was needed), MISS (ask cachemgr), or -errno.
 *
 * A piece is the part of a request that lies in one block.
 */
#ifndef S3B_FRONTEND_HIT_H
#define S3B_FRONTEND_HIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ipc/shm.h"

#define LANE_IOV 320	/* 1 MiB of 4 KiB sub-blocks, every other one zero, and some room */

struct block_span;
struct iobuf;
struct volume;

enum hit { HIT = 0, HIT_ZERO = 1, MISS = 2 };

struct lane {			/* what one thread needs to touch slots */
	struct volume	  *v;
	struct ipc_hazard *line;
	struct ipc_write_log *log; /* NULL: a cache in memory, which is never committed */
	unsigned	   held;		   /* entries of the line in use */
	uint32_t	   slot[IPC_HAZ_PER_LINE]; /* slots behind them */
	unsigned	   niov;
	struct iovec	   iov[LANE_IOV];
	uint32_t	   lost_before;	   /* state.notes_lost before the last write */
	uint32_t	   told_slot, told_gen;	   /* last read-ahead mark that was passed on */
	struct iobuf	  *buf;			   /* the request being handled; may be taken away */
};

void lane_init(struct lane *, struct volume *, unsigned line);
/* Copies what the iov names out of the cache.  0 or -errno. */
int  lane_copy(const struct lane *, char *dst);
/* Lets go of the slots and forgets the iov.  After the reply, never before. */
void lane_release(struct lane *);

/*
 * Adds the piece's bytes to lane->iov, as they lie in the cache, and holds on to the slot.
 * -ENOBUFS: the lane is full; copy instead.
 */
int  hit_read(struct lane *, const struct block_span *);
/* Copies the piece out.  Errors are those of pread(2) on the cache. */
int  hit_copy(struct lane *, const struct block_span *, char *dst);
/*
 * Writes the piece, zeros if src is NULL.  `granted`: cachemgr has just allowed it, so its limit on
 * dirty blocks does not count.  On an error of pwrite(2) the slot is dirty, and nothing in it has
 * become valid.
 */
int  hit_write(struct lane *, const struct block_span *, const char *src, bool granted);

#endif
