/* SPDX-License-Identifier: ISC */
/*
 * wrote.h -- what the frontend has written since the last commit, for the next one.
 *
 * Threads:  main.
 * Errors:   none: what cannot be told is `lost`, and then the whole file must be synced.
 *
 * A note counts only while its slot is its block's newest and dirty.  A slot that is clean by now is in the
 * bucket; one that a copy has replaced was copied whole, and the copy is recorded whole.
 */
#ifndef S3B_CACHEMGR_WROTE_H
#define S3B_CACHEMGR_WROTE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/shm.h"
#include "ipc/write_log.h"

struct cachemgr;

#define WROTE_MOST 64u /* ranges of one commit; more are better off with a sync */

struct wrote {
	struct ipc_wrote range[WROTE_MOST];
	unsigned n;
	bool lost;			    /* some are not among them */
	uint32_t lost_before[IPC_HAZ_LINES]; /* write_log_lost() at the last look */
};

void wrote_open(struct cachemgr *, struct wrote *); /* what lies in the rings is forgotten */
/* Everything noted so far; each range's block is on cm.unrecorded then. */
void wrote_gather(struct cachemgr *, struct wrote *);

#endif
