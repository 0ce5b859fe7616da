/* SPDX-License-Identifier: ISC */
/*
 * shared.c -- sharedDiskMode: other machines write to the bucket at the same time.
 *
 * What lies in a slot may be old the moment nobody waits for it any more.  So the frontend asks for each
 * read and each write (frontend/request.c), and here
 *  S1 a read is answered only from a fetch that began after it came, or from bytes of our own that are
 *     still on their way to the bucket;
 *  S2 a write finds no byte that was fetched before it came: a clean slot is given up, and what the write
 *     does not cover is fetched afterwards;
 *  S3 a write or trim is acknowledged when the bucket has it (state.write_through);
 *  S4 "absent" is never taken from the map: neither for reading nor to save a DELETE.
 * So whoever reads after a write on another machine was acknowledged sees it.  Two machines that write
 * different parts of one block at the same time lose one of the two, as with the old program: cluster
 * file systems lock units of their own, which must not be smaller than a block.
 *
 * The fetched bytes of a block that has a clean slot replace it when they are complete: who was told to
 * look finds either, and both are new enough for him.
 */
#include "cachemgr/cm.h"

static bool
has_bytes(struct cachemgr *cm, uint32_t slot)
{
	return (slot_valid_any(&cm->tab, slot, 0, cm->shm->nsub - 1) ||
		(head_flags(cm_head(cm, slot)) & SLOT_F_ZBASE) != 0);
}

/* Changed by us, and not yet acknowledged to whoever did. */
static bool
ours(struct cachemgr *cm, const struct bop *b)
{
	if (b->cur == IPC_NO_SLOT)
		return (zero_get(&cm->tab, b->block) == ZERO_PENDING);
	return (b->upload != UP_NONE || slot_dirty(cm_slot(cm, b->cur)));
}

bool
shared_is_fresh(struct cachemgr *cm, const struct bop *b, const struct waiter *w)
{
	return (!cm->shared || b->fetched_id > w->after || ours(cm, b));
}

/* The slot is unlinked by now.  Is somebody writing to it, who was allowed to before? */
static bool
is_written(struct cachemgr *cm, uint32_t slot)
{
	return (hazard_named(&cm->tab, slot, true) || slot_dirty(cm_slot(cm, slot)));
}

bool
shared_forget(struct cachemgr *cm, struct bop *b)
{
	uint32_t slot = b->cur;
	uint64_t h;

	/* A slot without a byte is what the next writer wants: another one may be about to use it. */
	if (slot == IPC_NO_SLOT || b->merge != MERGE_NONE || ours(cm, b) || !has_bytes(cm, slot))
		return (false);
	h = cm_head(cm, slot);
	if (head_state(h) != SLOT_LIVE)
		return (false);
	evict_remove(cm, slot);
	slot_unlink(cm, slot);
	if (is_written(cm, slot)) {
		slot_link(cm, slot, b->block, head_flags(h), SLOT_LIVE);
		if (!slot_dirty(cm_slot(cm, slot)))
			evict_insert(cm, slot);
		return (false);
	}
	bop_set_cur(b, IPC_NO_SLOT);
	slot_release(cm, slot);
	return (true);
}

void
shared_write_came(struct cachemgr *cm, struct bop *b)
{
	if (ours(cm, b))
		return;
	if (b->fetch == FETCH_INFLIGHT)
		b->drop_base = 1;
	(void)shared_forget(cm, b);
}

bool
shared_replace(struct cachemgr *cm, struct bop *b)
{
	uint32_t old = b->cur;
	uint64_t h;

	if (!cm->shared || old == IPC_NO_SLOT || ours(cm, b) || !has_bytes(cm, old))
		return (false);
	h = cm_head(cm, old);
	if (head_state(h) != SLOT_LIVE)
		return (false);
	evict_remove(cm, old);
	slot_link(cm, b->base, b->block, 0, SLOT_LIVE); /* the new one first, as in new_slot() */
	slot_unlink(cm, old);
	if (is_written(cm, old)) {
		slot_link(cm, old, b->block, head_flags(h), SLOT_LIVE);
		slot_unlink(cm, b->base);
		if (!slot_dirty(cm_slot(cm, old)))
			evict_insert(cm, old);
		return (false);
	}
	slot_release(cm, old);
	bop_set_cur(b, b->base);
	b->base = IPC_NO_SLOT;
	b->fetch = FETCH_NONE;
	evict_insert(cm, b->cur);
	return (true);
}
