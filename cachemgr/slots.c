/* SPDX-License-Identifier: ISC */
/*
 * slots.c -- handing slots out, linking them to blocks, taking them back.
 *
 * A slot is FREE, or OLD (owned by a bop, or on its way out), or linked.  It becomes FREE only when
 * no hazard line names it (H3) and when no durable record calls it dirty (D2).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"

void
slots_open(struct cachemgr *cm)
{
	uint32_t n = cm->shm->geo.nslots;

	cm->nfree = 0; /* rebuilding freed some already; they are FREE, and counted below */
	/* A stack with slot 0 on top: a disk that is hardly used touches the file's beginning only.
	 */
	for (uint32_t i = n; i-- > 0;)
		if (head_state(cm_head(cm, i)) == SLOT_FREE)
			cm->free_slot[cm->nfree++] = i;
}

static void
head_write(struct cachemgr *cm, uint32_t slot, uint64_t h)
{
	/* Sequentially consistent: hazard lines are scanned after this (H2). */
	atomic_store(&cm_slot(cm, slot)->head, h);
}

void
slot_set_state(struct cachemgr *cm, uint32_t slot, uint8_t state)
{
	uint64_t h = cm_head(cm, slot);

	head_write(cm, slot, slot_head(head_block(h), head_gen(h), head_flags(h), state));
}

void
slot_set_flags(struct cachemgr *cm, uint32_t slot, uint8_t set, uint8_t clear)
{
	uint64_t h = cm_head(cm, slot);

	head_write(cm, slot,
	    slot_head(head_block(h), head_gen(h), (head_flags(h) | set) & (uint8_t)~clear,
		head_state(h)));
}

bool
slot_whole(struct cachemgr *cm, uint32_t slot)
{
	return (slot_valid_all(&cm->tab, slot, 0, cm->shm->nsub - 1));
}

void
slot_note_whole(struct cachemgr *cm, uint32_t slot)
{
	if ((head_flags(cm_head(cm, slot)) & SLOT_F_WHOLE) == 0 && slot_whole(cm, slot))
		slot_set_flags(cm, slot, SLOT_F_WHOLE, 0);
}

/* H9.  What lies in the map is of the slot's last block, until here. */
static void
use_map(struct cachemgr *cm, uint32_t slot)
{
	if ((head_flags(cm_head(cm, slot)) & (SLOT_F_MAP | SLOT_F_WHOLE)) != 0)
		return;
	slot_valid_clear(&cm->tab, slot);
	slot_set_flags(cm, slot, SLOT_F_MAP, 0);
}

void
slot_add_valid(struct cachemgr *cm, uint32_t slot, uint32_t first, uint32_t last)
{
	if (first == 0 && last == cm->shm->nsub - 1) {
		slot_set_flags(cm, slot, SLOT_F_WHOLE, 0);
		return;
	}
	use_map(cm, slot);
	slot_valid_set(&cm->tab, slot, first, last);
}

void
slot_add_map(struct cachemgr *cm, uint32_t slot, const uint64_t map[IPC_SUB_MAX / 64])
{
	uint32_t nsub = cm->shm->nsub, end;

	for (uint32_t i = 0; i < nsub; i = end + 1) {
		end = i;
		while (end < nsub && (map[end >> 6] >> (end & 63) & 1) != 0)
			end++;
		if (end > i)
			slot_add_valid(cm, slot, i, end - 1);
	}
}

static void
count_used(struct cachemgr *cm)
{
	atomic_store_explicit(
	    &cm->st->used_slots, cm->shm->geo.nslots - cm->nfree, memory_order_relaxed);
}

uint32_t
slot_alloc(struct cachemgr *cm)
{
	uint32_t slot;

	if (cm->nfree == 0 && cm->nlimbo > 0)
		slots_limbo(cm);
	if (cm->nfree > 0) {
		slot = cm->free_slot[--cm->nfree];
	} else {
		slot = warm_evict(cm);
		if (slot == IPC_NO_SLOT)
			slot = evict_one(cm);
		if (slot == IPC_NO_SLOT) {
			if (cm->commit != NULL)
				commit_wanted(cm); /* slots may only wait for their record */
			return (IPC_NO_SLOT);
		}
	}
	count_used(cm);
	huge_used(cm, slot);
	warm_strike(cm, slot);
	return (slot);
}

void
slot_prepare(struct cachemgr *cm, uint32_t slot, uint32_t block)
{
	struct ipc_slot *s = cm_slot(cm, slot);
	uint64_t h = cm_head(cm, slot);

	atomic_store(&s->cseq, atomic_load(&s->wseq));
	atomic_store_explicit(&s->seen, atomic_load(&s->touch), memory_order_relaxed);
	head_write(cm, slot, slot_head(block, (uint16_t)(head_gen(h) + 1), 0, SLOT_OLD));
	sent_forget(cm, slot);
}

void
slot_link(struct cachemgr *cm, uint32_t slot, uint32_t block, uint8_t flags, uint8_t state)
{
	struct ipc_slot *s = cm_slot(cm, slot);
	_Atomic uint32_t *bucket = &cm->tab.bucket[slot_table_hash(&cm->tab, block)];

	MUST(head_block(cm_head(cm, slot)) == block && head_state(cm_head(cm, slot)) == SLOT_OLD);
	if (state == SLOT_LIVE)
		use_map(cm, slot);
	/* What is valid belongs to the bytes, and not to the link. */
	flags |= head_flags(cm_head(cm, slot)) & (SLOT_F_MAP | SLOT_F_WHOLE);
	/* H7: before `next` changes, for walkers that still stand on this slot. */
	atomic_fetch_add(cm->tab.gen, 1);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&s->next, atomic_load(bucket));
	head_write(cm, slot, slot_head(block, head_gen(cm_head(cm, slot)), flags, state));
	atomic_store(bucket, slot + 1);
}

static void
unlink_with(struct cachemgr *cm, uint32_t slot, uint8_t add_flags)
{
	uint32_t block = head_block(cm_head(cm, slot));
	_Atomic uint32_t *p = &cm->tab.bucket[slot_table_hash(&cm->tab, block)];

	uint64_t h = cm_head(cm, slot);

	evict_remove(cm, slot);
	/* Not only when the slot is used again: the block may change in the bucket before that. */
	warm_strike(cm, slot);
	/* One store: flags and state together, for the one who finds the table after our death. */
	head_write(cm, slot,
	    slot_head(
		block, head_gen(h), (head_flags(h) | add_flags) & (uint8_t)~SLOT_F_MARK, SLOT_OLD));
	while (atomic_load(p) != slot + 1) {
		MUST(atomic_load(p) != 0);
		p = &cm->tab.slot[atomic_load(p) - 1].next;
	}
	/* Walkers that stand on this slot go on along its next, which stays as it is. */
	atomic_store(p, atomic_load(&cm_slot(cm, slot)->next));
}

void
slot_unlink(struct cachemgr *cm, uint32_t slot)
{
	unlink_with(cm, slot, 0);
}

void
slot_drop(struct cachemgr *cm, uint32_t slot)
{
	unlink_with(cm, slot, SLOT_F_GONE);
}

static void
slot_free(struct cachemgr *cm, uint32_t slot)
{
	uint64_t h = cm_head(cm, slot);

	head_write(cm, slot, slot_head(head_block(h), head_gen(h), 0, SLOT_FREE));
	MUST(cm->nfree < cm->shm->geo.nslots);
	cm->free_slot[cm->nfree++] = slot;
	cm->room_made = true;
	count_used(cm);
}

void
slot_release(struct cachemgr *cm, uint32_t slot)
{
	MUST(head_state(cm_head(cm, slot)) == SLOT_OLD);
	warm_strike(cm, slot);
	/*
	 * WANT first, then the scan: whoever drops the last hazard rings us (H5).  GONE: whatever it
	 * says of itself, it is not the block any more, should we die before it is free.
	 */
	slot_set_flags(cm, slot, SLOT_F_WANT | SLOT_F_GONE, 0);
	if (hazard_named(&cm->tab, slot, false)) {
		cm->limbo[cm->nlimbo++] = slot;
		return;
	}
	if (cm->commit != NULL && commit_hold_slot(cm, slot))
		return; /* comes back through slot_release() when the record is durable */
	slot_free(cm, slot);
}

void
slots_limbo(struct cachemgr *cm)
{
	uint32_t n = cm->nlimbo;

	cm->nlimbo = 0;
	for (uint32_t i = 0; i < n; i++)
		slot_release(cm, cm->limbo[i]); /* may put it back at an index <= i */
}
