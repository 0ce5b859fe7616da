/* SPDX-License-Identifier: ISC */
/*
 * checkpoint.h -- settles what the journal says in DATA, beside the flushes.
 *
 * DATA counts until the slots' own bytes are durable.  A flush that had to wait for that would wait for the
 * pages of a thousand others; so an fdatasync of the cache file runs in a thread of its own as soon as there is
 * something to be settled, while commits go on.  What was in the journal when it began is settled when it has
 * ended: the bytes of the slots were in the page cache by then, or newer ones, which have DATA of their own
 * or were not flushed.
 *
 * Source:   fuzzy checkpoints: C. Mohan et al. 1992, "ARIES", ACM TODS 17/1.
 * Process:  cachemgr.  Threads: turn: the leader.  run: one other thread (lead.c), or a test.
 * Errors:   an fdatasync that fails is a fault of the cache file (void.c), as any other.
 */
#ifndef S3B_CACHEMGR_CHECKPOINT_H
#define S3B_CACHEMGR_CHECKPOINT_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cachemgr;

struct checkpoint {
	sem_t go;	  /* leader -> thread */
	_Atomic int done; /* thread -> leader: result is there */
	int result;
	uint64_t enough;	  /* bytes of DATA that are worth one */
	bool running;		  /* leader's, as the rest */
	uint64_t sequence, bytes; /* what will be settled */
};

int checkpoint_init(struct checkpoint *);
void checkpoint_turn(struct cachemgr *); /* takes up one that has ended, begins one that is wanted */
void checkpoint_run(struct cachemgr *);	 /* the fdatasync */

#endif
