/* SPDX-License-Identifier: ISC */
/*
 * rebuild.c -- after a death: the frontend's, whose requests and hazards are gone; or our own, when
 * a new cachemgr finds the segment as its predecessor left it, at whatever instruction it died.
 *
 * What a dead cachemgr leaves is trusted for this much: a slot's head was stored in one piece, and
 * the order of stores was the program's.  So
 *  - a linked slot holds its block; of two linked slots of one block the LIVE one is the newer;
 *  - an OLD slot that is dirty, or that a writer names, who is about to make it so; that is not GONE, and
 *    whose block has no linked slot, was just being moved: it is the block;
 *  - chains may be half-linked, so all of them are made anew, with TABLE_REBUILDING in the
 *    generation, which makes every "not found" of a frontend unsure meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "common/inject.h"
#include "common/log.h"

static void
drop_waiters(struct bop *b)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&b->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->waiters, link);
		free(w);
	}
}

void
request_bury(struct cachemgr *cm)
{
	struct barrier *f, *next;
	struct ipc_msg m;

	/* What it had sent is done as far as it matters: DIRTY and TRIM count, questions do not. */
	while (ipc_ring_pop(&cm->fe.in, &m) == 0)
		request_handle(cm, &m);
	ipc_ring_skip_dead(&cm->fe.in);
	page_forget_reads(cm);
	hazard_clear_all(&cm->tab);
	for (uint32_t i = 0; i <= cm->bops_mask; i++) {
		struct bop *b, *after;

		for (b = LIST_FIRST(&cm->bops[i]); b != NULL; b = after) {
			after = LIST_NEXT(b, hash);
			drop_waiters(b);
			bop_kick(cm, b);
		}
	}
	for (f = STAILQ_FIRST(&cm->barriers); f != NULL; f = next) {
		next = STAILQ_NEXT(f, link);
		if (!f->from_sup) {
			STAILQ_REMOVE(&cm->barriers, f, barrier, link);
			free(f);
		}
	}
	if (cm->commit != NULL)
		commit_forget_fe(cm);
	(void)pthread_mutex_lock(&cm->fe_lock);
	ipc_ring_reset_dead(&cm->fe.out);
	(void)pthread_mutex_unlock(&cm->fe_lock);
	/* It may have died between making a slot dirty and saying so. */
	for (uint32_t s = 0; s < cm->shm->geo.nslots; s++) {
		uint64_t h = cm_head(cm, s);
		struct bop *b;

		if (!head_linked(h) || !slot_dirty(cm_slot(cm, s)) ||
		    INJECT_FAIL("mutate.p2-told-or-forgotten"))
			continue;
		b = bop_get(cm, head_block(h));
		if (b != NULL && b->cur == s && b->up_slot != s)
			bop_set_dirty(cm, b);
	}
}

/* The linked slot of a block in the table under construction. */
static uint32_t
relinked(struct cachemgr *cm, uint32_t block)
{
	bool sure;

	return (slot_table_find(&cm->tab, block, &sure));
}

static void
relink(struct cachemgr *cm, uint32_t slot)
{
	uint64_t h = cm_head(cm, slot);
	uint8_t flags = head_flags(h) & SLOT_F_ZBASE;

	slot_set_state(cm, slot, SLOT_OLD);
	slot_link(cm, slot, head_block(h), flags, SLOT_LIVE);
}

/* Was it the block, a moment ago?  Names first: a writer who is done by then has left it dirty. */
static bool
was_moved(struct cachemgr *cm, uint32_t slot, uint64_t h)
{
	return ((head_flags(h) & SLOT_F_GONE) == 0 &&
		(hazard_named(&cm->tab, slot, true) || slot_dirty(cm_slot(cm, slot))));
}

static void
rebuild_table(struct cachemgr *cm)
{
	/* LIVE before FROZEN before moved ones: the first to come is the newest. */
	static const uint8_t order[] = {SLOT_LIVE, SLOT_FROZEN, SLOT_OLD};

	atomic_fetch_or(cm->tab.gen, TABLE_REBUILDING);
	for (uint32_t i = 0; i <= cm->tab.bucket_mask; i++)
		atomic_store(&cm->tab.bucket[i], 0);
	for (uint32_t s = 0; s < cm->shm->geo.nslots; s++)
		cm_slot(cm, s)->queue = 0;
	for (unsigned o = 0; o < 3; o++) {
		for (uint32_t s = 0; s < cm->shm->geo.nslots; s++) {
			uint64_t h = cm_head(cm, s);

			/* Those relinked by now are LIVE, and found as themselves. */
			if (head_state(h) != order[o] || relinked(cm, head_block(h)) != IPC_NO_SLOT)
				continue;
			if (o < 2 || was_moved(cm, s, h))
				relink(cm, s);
		}
	}
	/* One more than before, without the bit: walks that began in between are unsure. */
	atomic_store(cm->tab.gen, (atomic_load(cm->tab.gen) + 1) & ~(uint32_t)TABLE_REBUILDING);
}

/* The uploaders died with our predecessor: what is frozen was on its way, or may have been. */
static void
note_landings(struct cachemgr *cm)
{
	for (uint32_t s = 0; s < cm->shm->geo.nslots; s++) {
		uint64_t h = cm_head(cm, s);

		if (head_state(h) == SLOT_FROZEN)
			landing_note(cm, head_block(h), 1);
	}
}

int
rebuild_from_segment(struct cachemgr *cm)
{
	uint32_t dirty = 0;

	note_landings(cm);
	rebuild_table(cm);
	for (uint32_t s = 0; s < cm->shm->geo.nslots; s++) {
		uint64_t h = cm_head(cm, s);
		struct bop *b;

		if (head_state(h) == SLOT_FREE)
			continue;
		if (relinked(cm, head_block(h)) != s) {
			slot_set_state(cm, s, SLOT_OLD);
			slot_release(cm, s);
		} else if (slot_dirty(cm_slot(cm, s))) {
			b = bop_get(cm, head_block(h));
			if (b == NULL)
				return (-ENOMEM);
			bop_set_dirty(cm, b);
			dirty++;
		} else {
			evict_insert(cm, s);
		}
	}
	zero_recount(cm);
	if (cm->npending > 0)
		landing_note(cm, cm->pend_lo, cm->pend_hi - cm->pend_lo);
	log_info("took over from a dead cachemgr: dirty_blocks=%u deletes=%llu", dirty,
	    (unsigned long long)cm->npending);
	return (0);
}
