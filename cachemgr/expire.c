/* SPDX-License-Identifier: ISC */
/*
 * expire.c -- blockCacheTimeout: clean blocks that nobody has touched for so long are forgotten.
 *
 * The slots are gone through in turn, a piece at a time, four times in each timeout; a slot whose counter
 * of touches has not moved since it was stamped longer ago than the timeout is given up.  So a block
 * goes after the timeout and before five quarters of it.  A slot that is found to be in use is stamped
 * again.
 */
#include <errno.h>
#include <stdlib.h>

#include "cachemgr/cm.h"

#define ROUNDS 4     /* in one timeout */
#define PIECE  4096  /* slots in one turn of the loop */
#define TICK   10000 /* us between two pieces, at least */

struct stamp {
	uint64_t at_us;
	uint16_t gen; /* of the slot: another one is another block */
	uint8_t touch;
};

struct expire {
	uint64_t timeout_us, next_us;
	uint32_t cursor;
	struct stamp stamp[];
};

int
expire_set(struct cachemgr *cm, uint64_t timeout_us)
{
	uint32_t n = cm->shm->geo.nslots;

	free(cm->expire);
	cm->expire = NULL;
	if (timeout_us == 0)
		return (0);
	cm->expire = calloc(1, sizeof(*cm->expire) + n * sizeof(struct stamp));
	if (cm->expire == NULL)
		return (-ENOMEM);
	cm->expire->timeout_us = timeout_us;
	return (0);
}

static void
look_at(struct cachemgr *cm, uint32_t slot)
{
	struct stamp *t = &cm->expire->stamp[slot];
	struct ipc_slot *s = cm_slot(cm, slot);
	uint8_t touch = atomic_load_explicit(&s->touch, memory_order_relaxed);
	uint16_t gen = head_gen(cm_head(cm, slot));

	if (s->queue == 0) { /* dirty, free, or somebody waits for it */
		t->at_us = 0;
	} else if (t->at_us == 0 || t->gen != gen || t->touch != touch) {
		/* The frontend counts no further than three: leave it room to say so again. */
		if ((uint8_t)(touch - s->seen) >= 3)
			atomic_store_explicit(&s->seen, (uint8_t)(touch - 2), memory_order_relaxed);
		*t = (struct stamp){.at_us = cm->now_us, .gen = gen, .touch = touch};
	} else if (cm->now_us - t->at_us >= cm->expire->timeout_us) {
		t->at_us = 0;
		(void)evict_this(cm, slot);
	}
}

void
expire_run(struct cachemgr *cm)
{
	struct expire *e = cm->expire;
	uint32_t n = cm->shm->geo.nslots, pieces = (n + PIECE - 1) / PIECE;
	uint64_t pause;

	if (e == NULL || cm->now_us < e->next_us)
		return;
	for (uint32_t i = 0; i < PIECE && i < n; i++) {
		look_at(cm, e->cursor);
		e->cursor = e->cursor + 1 < n ? e->cursor + 1 : 0;
	}
	pause = e->timeout_us / ROUNDS / pieces;
	e->next_us = cm->now_us + (pause > TICK ? pause : TICK);
}

uint64_t
expire_deadline(struct cachemgr *cm)
{
	return (cm->expire != NULL ? cm->expire->next_us : UINT64_MAX);
}
