/* SPDX-License-Identifier: ISC */
/*
 * request.c -- what the frontend asks for when the slot table alone does not help it.
 *
 * A DONE with status 0 means "look again", so answering too early costs a message and never data;
 * answering too late is what must not happen, hence the kicks.
 */
#include <errno.h>
#include <stdlib.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "common/inject.h"
#include "common/log.h"

/* Is a read of this piece a hit now? */
static bool
readable(struct cachemgr *cm, const struct bop *b, const struct waiter *w)
{
	uint32_t shift = cm->shm->sub_shift, off = w->off, len = w->len;

	if (!shared_is_fresh(cm, b, w))
		return (false);

	if (b->cur == IPC_NO_SLOT)
		return (zero_reads_zero(zero_get(&cm->tab, b->block)));
	if (len == 0 || (head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE) != 0)
		return (true);
	return (slot_valid_all(&cm->tab, b->cur, off >> shift, (off + len - 1) >> shift));
}

/* Sub-blocks that the write covers in part and that are not valid; at most two. */
static unsigned
ragged(struct cachemgr *cm, const struct bop *b, const struct waiter *w, uint32_t sub[2])
{
	uint32_t shift = cm->shm->sub_shift, mask = cm->shm->geo.sub_size - 1;
	uint32_t end = w->off + w->len;
	unsigned n = 0;

	if (w->len == 0)
		return (0);
	if ((w->off & mask) != 0 && !slot_valid_test(&cm->tab, b->cur, w->off >> shift))
		sub[n++] = w->off >> shift;
	if ((end & mask) != 0 && !slot_valid_test(&cm->tab, b->cur, (end - 1) >> shift) &&
	    (n == 0 || sub[0] != (end - 1) >> shift))
		sub[n++] = (end - 1) >> shift;
	return (n);
}

/* A slot for a block that has none the frontend may write to.  0, or -EAGAIN: no room now. */
static int
new_slot(struct cachemgr *cm, struct bop *b)
{
	uint32_t slot = slot_alloc(cm), old = b->cur;
	uint8_t zbase = 0;

	if (slot == IPC_NO_SLOT)
		return (-EAGAIN);
	if (old == IPC_NO_SLOT && !cm->shared && zero_reads_zero(zero_get(&cm->tab, b->block)))
		zbase = SLOT_F_ZBASE;
	slot_prepare(cm, slot, b->block);
	/* The new one first: at no instant is the block without a linked slot (rebuild.c). */
	slot_link(cm, slot, b->block, zbase, SLOT_LIVE);
	if (old != IPC_NO_SLOT)
		slot_unlink(cm, old); /* FILLING: stays what the download arrives in */
	bop_set_cur(b, slot);
	evict_insert(cm, slot); /* clean until the frontend writes to it, which it may never do */
	return (0);
}

/* The upload holds the block's bytes still, so the writer goes on in a copy. */
static int
copy_frozen(struct cachemgr *cm, struct bop *b)
{
	uint32_t old = b->cur, slot = slot_alloc(cm);
	uint8_t flags = head_flags(cm_head(cm, old)) & SLOT_F_ZBASE;
	struct ipc_slot *s;
	int error;

	if (slot == IPC_NO_SLOT)
		return (-EAGAIN);
	slot_prepare(cm, slot, b->block);
	error = bytes_copy_valid(cm, old, slot);
	if (error < 0) {
		log_err(error, "cannot copy a block for a writer: block=%u", b->block);
		slot_release(cm, slot);
		return (error);
	}
	/*
	 * Dirty from birth: until the upload is done, this copy is where the block's newest bytes
	 * are, and only dirty slots are safe from eviction.
	 */
	s = cm_slot(cm, slot);
	atomic_store(&s->cseq, atomic_load(&s->wseq) - 1);
	slot_link(cm, slot, b->block, flags, SLOT_LIVE); /* the new one first, as in new_slot() */
	slot_unlink(cm, old);
	bop_set_cur(b, slot);
	bop_set_dirty(cm, b);
	ctr_inc(cm->ctr, copies);
	return (0);
}

/* 1: answered with *ret_status; 0: it must wait, and what for is noted in the bop. */
static int
serve_write(struct cachemgr *cm, struct bop *b, const struct waiter *w, int *ret_status)
{
	uint32_t sub[2];
	int error = 0;

	if (cm->fenced) {
		*ret_status = -EIO; /* it could never be uploaded */
		return (1);
	}
	if (b->merge != MERGE_NONE || b->upload == UP_FREEZING)
		return (0); /* in hazard_wait */
	if ((b->cur == IPC_NO_SLOT || !slot_dirty(cm_slot(cm, b->cur))) && !b->on_promise &&
	    !dirty_room(cm)) {
		bop_want_room(cm, b);
		return (0);
	}
	if (b->cur == IPC_NO_SLOT || head_state(cm_head(cm, b->cur)) == SLOT_FILLING)
		error = new_slot(cm, b);
	else if (head_state(cm_head(cm, b->cur)) == SLOT_FROZEN)
		error = copy_frozen(cm, b);
	if (error == -EAGAIN) {
		bop_want_room(cm, b);
		return (0);
	}
	if (error == 0 && ragged(cm, b, w, sub) > 0) {
		if ((head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE) == 0) {
			b->want_fetch = 1;
			return (0);
		}
		/* Shuts other writers out of those sub-blocks while they are zeroed. */
		b->merge = MERGE_ZEROFILL;
		slot_set_state(cm, b->cur, SLOT_FROZEN);
		slot_set_flags(cm, b->cur, SLOT_F_WANT, 0);
		if (!merge_step(cm, b))
			return (0);
	}
	if (error == 0 && !slot_dirty(cm_slot(cm, b->cur)))
		bop_promise(cm, b);
	*ret_status = error;
	return (1);
}

/* Called by merge_step() for MERGE_ZEROFILL, once no writer is inside. */
void
merge_zerofill(struct cachemgr *cm, struct bop *b)
{
	struct waiter *w;
	uint32_t sub[2];

	STAILQ_FOREACH (w, &b->waiters, link) {
		unsigned n = w->type == IPC_WRITE ? ragged(cm, b, w, sub) : 0;

		for (unsigned i = 0; i < n; i++) {
			int error = bytes_zero_sub(cm, b->cur, sub[i]);

			if (error < 0)
				log_err(error, "cannot zero part of a slot: block=%u", b->block);
		}
	}
}

void
request_serve(struct cachemgr *cm, struct bop *b)
{
	STAILQ_HEAD(, waiter) keep = STAILQ_HEAD_INITIALIZER(keep);
	struct waiter *w;

	/*
	 * The list stays whole while it is served: merge_zerofill() reads it.  Served ones are
	 * marked by their type and taken out afterwards.
	 */
	STAILQ_FOREACH (w, &b->waiters, link) {
		int status = 0;

		if (w->type == IPC_NONE)
			continue;
		if (w->type == IPC_WRITE) {
			if (serve_write(cm, b, w, &status) == 0)
				continue;
		} else if (!readable(cm, b, w)) {
			/* Another machine may be writing: its blocks do not fit to our cached ones. */
			if (!cm->fenced) {
				b->want_fetch = 1;
				continue;
			}
			status = -EIO;
		}
		cm_reply_fe(cm, w->req_id, status);
		w->type = IPC_NONE;
	}
	while ((w = STAILQ_FIRST(&b->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->waiters, link);
		if (w->type == IPC_NONE)
			free(w);
		else
			STAILQ_INSERT_TAIL(&keep, w, link);
	}
	STAILQ_CONCAT(&b->waiters, &keep);
}

void
request_block(struct cachemgr *cm, const struct ipc_msg *m)
{
	struct bop *b = bop_get(cm, (uint32_t)m->block);
	struct waiter *w = b != NULL ? calloc(1, sizeof(*w)) : NULL;

	if (w == NULL) {
		cm_reply_fe(cm, m->req_id, -ENOMEM);
		return;
	}
	w->req_id = m->req_id;
	w->off = m->off;
	w->len = m->len;
	w->type = m->type;
	w->after = cm->fetch_seq;
	STAILQ_INSERT_TAIL(&b->waiters, w, link);
	if (cm->shared && m->type == IPC_WRITE)
		shared_write_came(cm, b);
	if (m->type == IPC_READ) {
		bool ahead = b->fetch == FETCH_INFLIGHT && b->fetch_ahead;

		b->fetch_ahead = 0; /* somebody waits now */
		bop_kick(cm, b);
		if (!cm->shared)
			readahead_miss(cm, (uint32_t)m->block, ahead);
	} else {
		bop_kick(cm, b);
	}
}

/*
 * What is valid of the slot and has no note is what the bucket holds: then the record of the block need not
 * name more than the notes do (batch.c).  `lost_before`: state.notes_lost before the first write, so that a
 * commit which took the mark of a lost note without knowing of this block is noticed.
 */
static bool
bucket_holds_rest(struct cachemgr *cm, const struct bop *b, uint32_t lost_before)
{
	return (b->upload == UP_NONE && b->recorded_slot == IPC_NO_SLOT && !cm->shared &&
		zero_get(&cm->tab, b->block) == ZERO_PRESENT &&
		(lost_before == atomic_load(&cm->st->notes_lost) ||
		    INJECT_FAIL("mutate.d6-notes-are-all")));
}

struct bop *
request_dirty(struct cachemgr *cm, uint32_t block, uint32_t slot, uint32_t lost_before)
{
	struct bop *b = bop_get(cm, block);

	if (b == NULL) {
		/* It stays dirty in the table, and is found again when memory is back: exit does
		 * that. */
		log_err(-ENOMEM, "cannot note a dirty block; starting over");
		exit(ROLE_EXIT_AGAIN);
	}
	if (b->cur == slot && b->up_slot != slot) {
		if (!b->on_dirty)
			b->noted_slot = bucket_holds_rest(cm, b, lost_before) ? slot : IPC_NO_SLOT;
		bop_set_dirty(cm, b);
	}
	return (b);
}

/* The frontend made a clean slot dirty.  Late ones, about a slot that has moved on, mean nothing.
 */
static void
handle_dirty(struct cachemgr *cm, const struct ipc_msg *m)
{
	uint64_t h = cm_head(cm, m->slot);
	struct bop *b;

	if (head_gen(h) != (uint16_t)m->slot_gen || head_block(h) != m->block || !head_linked(h)) {
		ctr_inc(cm->ctr, stale_messages);
		return;
	}
	if (!slot_dirty(cm_slot(cm, m->slot)))
		return;
	b = request_dirty(cm, (uint32_t)m->block, m->slot, (uint32_t)m->arg);
	bop_kick(cm, b);
	passed_note(cm, (uint32_t)m->block);
}

void
request_handle(struct cachemgr *cm, const struct ipc_msg *m)
{
	if (ipc_msg_check(cm->shm, m) < 0) {
		ctr_inc(cm->ctr, bad_messages);
		return;
	}
	switch (m->type) {
	case IPC_READ:
		if (!page_hold(cm, m))
			request_block(cm, m);
		break;
	case IPC_WRITE:
		request_block(cm, m);
		break;
	case IPC_TRIM:
		if (cm->fenced)
			cm_reply_fe(cm, m->req_id, -EIO);
		else
			trim_handle(cm, m);
		break;
	case IPC_FLUSH:
		if (cm->commit == NULL || atomic_load(&cm->st->flush_to_bucket) != 0 || cm->drained)
			barrier_add(cm, IPC_FLUSH, m->req_id, false);
		else
			commit_flush(cm, m->req_id);
		break;
	case IPC_DIRTY:
		handle_dirty(cm, m);
		break;
	case IPC_AHEAD:
		if (head_block(cm_head(cm, m->slot)) == m->block) {
			slot_set_flags(cm, m->slot, 0, SLOT_F_MARK);
			evict_read(cm, m->slot);
		}
		readahead_hit(cm, (uint32_t)m->block);
		break;
	default:
		ctr_inc(cm->ctr, bad_messages);
		break;
	}
}
