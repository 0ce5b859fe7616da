/* SPDX-License-Identifier: ISC */
/*
 * check.c -- every slot accounted for: walks the slot table and holds it against the private state.
 *
 * For each slot exactly one of these is true:
 *	FREE	on the free stack
 *	OLD	base or up_slot of a bop; or in limbo; or held for its record; or kept (warm.h)
 *	linked	found under its block; clean: in an eviction queue or its block has a bop;
 *		dirty: its block has a bop that is dirty or uploads it, or its IPC_DIRTY is on the way
 * what is LIVE or FROZEN has MAP or WHOLE (H9), and the counts of blocks on lists are the counters.
 * O(slots); called when `debug` is set, and by tests.  A violation is our own bug: panic, with the slot and what was found.
 */
#include <stdlib.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"
#include "common/check.h"
#include "common/log.h"

enum {
	SEEN_FREE = 1,
	SEEN_BASE = 2,
	SEEN_UP = 4,
	SEEN_LIMBO = 8,
	SEEN_HELD = 16,
	SEEN_WARM = 32
};

static void
mark(uint8_t *seen, const struct cachemgr *cm, uint32_t slot, uint8_t bit)
{
	MUST(slot < cm->shm->geo.nslots);
	if ((seen[slot] & bit) != 0)
		panic_at(__FILE__, __LINE__, "slot %u is accounted for twice (%u)", slot, bit);
	seen[slot] |= bit;
}

static void
mark_bops(uint8_t *seen, struct cachemgr *cm)
{
	uint32_t dirty = 0, uploading = 0, want = 0;

	for (uint32_t i = 0; i <= cm->bops_mask; i++) {
		const struct bop *b;

		LIST_FOREACH (b, &cm->bops[i], hash) {
			if (b->base != IPC_NO_SLOT)
				mark(seen, cm, b->base, SEEN_BASE);
			if (b->up_slot != IPC_NO_SLOT)
				mark(seen, cm, b->up_slot, SEEN_UP);
			MUST((b->fetch != FETCH_NONE) == (b->base != IPC_NO_SLOT));
			MUST((b->upload != UP_NONE) == (b->up_slot != IPC_NO_SLOT));
			dirty += b->on_dirty;
			/* Somebody comes back to every dirty block. */
			MUST(!b->on_dirty || b->on_due || b->want_upload || b->on_retry ||
			     b->upload != UP_NONE);
			uploading += b->upload != UP_NONE;
			want += b->want_upload;
			if (b->cur != IPC_NO_SLOT)
				MUST(head_block(cm_head(cm, b->cur)) == b->block &&
				     head_linked(cm_head(cm, b->cur)));
		}
	}
	MUST(dirty + uploading == cm->ndirty);
	MUST(want == cm->nwant);
}

static void
check_linked(struct cachemgr *cm, uint32_t slot, uint64_t h)
{
	const struct bop *b = bop_find(cm, head_block(h));
	bool sure;

	MUST(head_state(h) == SLOT_FILLING || (head_flags(h) & (SLOT_F_MAP | SLOT_F_WHOLE)) != 0);
	if (slot_table_find(&cm->tab, head_block(h), &sure) != slot)
		panic_at(__FILE__, __LINE__, "slot %u is linked, and not found by its block %u",
		    slot, head_block(h));
	if (b != NULL)
		MUST(b->cur == slot);
	else if (!slot_dirty(cm_slot(cm, slot)) && cm_slot(cm, slot)->queue == 0)
		panic_at(__FILE__, __LINE__, "slot %u is clean, and in no queue", slot);
}

void
slots_check(struct cachemgr *cm)
{
	uint32_t n = cm->shm->geo.nslots;
	uint8_t *seen = calloc(n, 1);

	if (seen == NULL)
		return;
	for (uint32_t i = 0; i < cm->nfree; i++)
		mark(seen, cm, cm->free_slot[i], SEEN_FREE);
	for (uint32_t i = 0; i < cm->nlimbo; i++)
		mark(seen, cm, cm->limbo[i], SEEN_LIMBO);
	if (cm->commit != NULL)
		commit_visit_held(cm, seen, SEEN_HELD);
	for (uint32_t s = 0; s < n; s++)
		if (warm_holds(cm, s))
			mark(seen, cm, s, SEEN_WARM);
	mark_bops(seen, cm);
	for (uint32_t s = 0; s < n; s++) {
		uint64_t h = cm_head(cm, s);

		if (head_state(h) == SLOT_FREE) {
			MUST(seen[s] == SEEN_FREE);
		} else if (head_linked(h)) {
			MUST((seen[s] & (SEEN_FREE | SEEN_LIMBO)) == 0);
			check_linked(cm, s, h);
		} else if (seen[s] == 0 || (seen[s] & SEEN_FREE) != 0) {
			panic_at(__FILE__, __LINE__, "slot %u is lost: block=%u flags=%u", s,
			    head_block(h), head_flags(h));
		}
	}
	free(seen);
}
