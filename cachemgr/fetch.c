/* SPDX-License-Identifier: ISC */
/*
 * fetch.c -- bringing a block's bytes from the bucket, and completing a partly written block.
 *
 * A download never writes into a slot that the frontend may write to.  A block without a slot gets
 * one in state FILLING; when a write comes before the download is done, the writer gets a slot of
 * its own and the filling one becomes its base.  A block that was written in part gets a base
 * beside its slot.  When the base has arrived, the missing sub-blocks are copied under a short
 * freeze.
 *
 * Of a large block that nobody has touched yet, and that no stream leads to, only the part is asked for
 * that a reader waits for: random reads would otherwise fetch a megabyte for each 4 KiB.  The second
 * touch of the block fetches all of it.  The uploader may bring more than the part, where a part would
 * have to go unverified or cannot be had; its DONE says what has arrived.
 */
#include <errno.h>

#include "common/check.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/warm.h"

#define PART_BLOCK_MIN (256u << 10) /* smaller blocks come as fast as their parts */
#define PART_BYTES     (16u << 10)
#define RETRY_US       1000000 /* a fetch that the uploader gave up, wanted by a writer or an upload */

static bool
has_reader(const struct bop *b)
{
	const struct waiter *w;

	STAILQ_FOREACH (w, &b->waiters, link)
		if (w->type == IPC_READ)
			return (true);
	return (false);
}

static void
fetch_dequeue(struct cachemgr *cm, struct bop *b)
{
	if (b->on_queue != 0)
		TAILQ_REMOVE(&cm->fetch_wait[b->on_queue - 1], b, queue);
	b->on_queue = 0;
}

void
fetch_run(struct cachemgr *cm)
{
	struct bop *b;

	for (unsigned i = 0; i < 2; i++)
		while (sched_has_room(cm, i == 0 ? XFER_GET : XFER_PUT) &&
		       (b = TAILQ_FIRST(&cm->fetch_wait[i])) != NULL) {
			fetch_dequeue(cm, b);
			bop_kick(cm, b);
		}
}

uint32_t
fetch_part_bytes(const struct shm *shm)
{
	if (shm->geo.block_size < PART_BLOCK_MIN)
		return (0);
	return (shm->geo.sub_size > PART_BYTES ? shm->geo.sub_size : PART_BYTES);
}

/* Is a part of the block enough for now?  Then it is noted in the bop. */
static bool
want_part(struct cachemgr *cm, struct bop *b)
{
	const struct waiter *w = STAILQ_FIRST(&b->waiters);
	uint32_t mask = cm->part_bytes - 1, end;

	b->part_off = b->part_len = 0;
	if (cm->part_bytes == 0 || b->cur != IPC_NO_SLOT || b->fetch_ahead || b->want_upload ||
	    w == NULL || w->type != IPC_READ || w->len == 0 || STAILQ_NEXT(w, link) != NULL ||
	    readahead_expects(cm, b->block))
		return (false);
	end = (w->off + w->len + mask) & ~mask;
	if (end - (w->off & ~mask) > cm->shm->geo.block_size / 4)
		return (false);
	b->part_off = w->off & ~mask;
	b->part_len = end - b->part_off;
	ctr_inc(cm->ctr, parts);
	return (true);
}

void
fetch_try(struct cachemgr *cm, struct bop *b)
{
	/* Only for a reader may the transfers be used that are kept for readers. */
	enum xfer_kind kind = has_reader(b) ? XFER_GET : XFER_PUT;
	struct ipc_msg m = {.type = IPC_GET, .block = b->block, .len = cm->shm->geo.block_size};
	struct xfer *x;
	uint32_t slot;

	if (b->on_retry)
		return;
	if (kind == XFER_GET)
		sched_reader(cm);
	fetch_dequeue(cm, b);
	if (!sched_has_room(cm, kind)) {
		/* A bop that waited for its upload and now has a reader changes queues here. */
		b->on_queue = kind == XFER_GET ? 1 : 2;
		TAILQ_INSERT_TAIL(&cm->fetch_wait[b->on_queue - 1], b, queue);
		return;
	}
	slot = slot_alloc(cm);
	/*
	 * Every slot may be the part of a block that is wanted whole now, as ours is: if each waited for
	 * another to leave, none ever would.  A part that is clean can be fetched again with the rest.
	 */
	if (slot == IPC_NO_SLOT && evict_own(cm, b))
		slot = slot_alloc(cm);
	if (slot == IPC_NO_SLOT) {
		bop_want_room(cm, b);
		return;
	}
	slot_prepare(cm, slot, b->block);
	if (want_part(cm, b)) {
		m.off = b->part_off;
		m.len = b->part_len;
		m.flags |= IPC_F_PART;
	}
	if (b->cur == IPC_NO_SLOT) {
		slot_link(cm, slot, b->block, 0, SLOT_FILLING);
		bop_set_cur(b, slot);
	}
	b->base = slot;
	b->want_fetch = 0;
	b->fetch = FETCH_INFLIGHT;
	b->fetch_id = ++cm->fetch_seq;
	m.slot = slot;
	m.slot_gen = head_gen(cm_head(cm, slot));
	if (b->fetch_ahead)
		m.flags |= IPC_F_READAHEAD;
	if (!cm->shared && zero_get(&cm->tab, b->block) == ZERO_PRESENT)
		m.flags |= IPC_F_PRESENT;
	x = sched_start(cm, XFER_GET, &m);
	MUST(x != NULL);
	x->bop = b;
	x->slot = slot;
	(void)sched_send(cm, x, &m);
}

static void
fail_readers(struct cachemgr *cm, struct bop *b, int status)
{
	struct waiter *w;

	STAILQ_FOREACH (w, &b->waiters, link) {
		if (w->type != IPC_READ)
			continue;
		cm_reply_fe(cm, w->req_id, status);
		w->type = IPC_NONE; /* answered: request_serve() takes it off the list */
	}
}

/* Marks what has arrived in the base.  False: that is not what was asked for. */
static bool
note_arrived(struct cachemgr *cm, const struct bop *b, const struct ipc_msg *m)
{
	uint32_t size = cm->shm->geo.block_size, shift = cm->shm->sub_shift;
	uint32_t mask = cm->shm->geo.sub_size - 1;

	if (b->part_len == 0) {
		slot_add_valid(cm, b->base, 0, cm->shm->nsub - 1);
		return (true);
	}
	if (m->off > b->part_off || m->len > size || m->off > size - m->len ||
	    m->off + m->len < b->part_off + b->part_len || ((m->off | m->len) & mask) != 0) {
		ctr_inc(cm->ctr, bad_messages);
		return (false);
	}
	slot_add_valid(cm, b->base, m->off >> shift, ((m->off + m->len) >> shift) - 1);
	return (true);
}

/* The bytes have arrived in a slot that is linked and that nobody wrote: it is the block now. */
static void
fill_is_current(struct cachemgr *cm, struct bop *b, const struct ipc_msg *m)
{
	bool whole = slot_whole(cm, b->base);

	slot_set_state(cm, b->base, SLOT_LIVE);
	if (b->fetch_ahead)
		slot_set_flags(cm, b->base, SLOT_F_MARK, 0);
	evict_insert(cm, b->base);
	if (whole)
		warm_note(cm, b->base, m);
	b->base = IPC_NO_SLOT;
	b->fetch = FETCH_NONE;
}

static void
give_up_base(struct cachemgr *cm, struct bop *b)
{
	uint32_t base = b->base;

	if (b->cur == base) {
		slot_unlink(cm, base);
		bop_set_cur(b, IPC_NO_SLOT);
	}
	b->base = IPC_NO_SLOT;
	b->fetch = FETCH_NONE;
	slot_release(cm, base);
}

void
fetch_done(struct cachemgr *cm, struct bop *b, const struct ipc_msg *m)
{
	bool drop = b->drop_base;
	int status = m->status;

	b->drop_base = 0;
	if (status == 0 && !drop && (m->flags & IPC_F_ZERO) == 0 && !note_arrived(cm, b, m))
		status = -EIO;
	if (status == 0 && !drop)
		b->fetched_id = b->fetch_id;
	if (status < 0) {
		give_up_base(cm, b);
		if (status == -EAGAIN) { /* the uploader died: another one gets it */
			b->want_fetch = 1;
		} else if (!drop) {
			fail_readers(cm, b, status);
			if (!STAILQ_EMPTY(&b->waiters) || b->want_upload)
				bop_retry_at(cm, b, cm->now_us + RETRY_US);
		}
	} else if (drop) {
		give_up_base(cm, b);
	} else if ((m->flags & IPC_F_ZERO) != 0) {
		/* No object.  What is missing of a written block is zero. */
		if (zero_get(&cm->tab, b->block) != ZERO_PENDING)
			zero_change(cm, b->block, ZERO_ABSENT);
		if (cm->shared && b->cur != b->base)
			(void)shared_forget(cm, b);
		if (b->cur != b->base && b->cur != IPC_NO_SLOT)
			slot_set_flags(cm, b->cur, SLOT_F_ZBASE, 0);
		give_up_base(cm, b);
	} else {
		ctr_inc(cm->ctr, fills);
		if (zero_get(&cm->tab, b->block) == ZERO_UNKNOWN)
			zero_change(cm, b->block, ZERO_PRESENT);
		if (b->cur == b->base) {
			fill_is_current(cm, b, m);
		} else {
			b->fetch = FETCH_READY;
		}
	}
	b->fetch_ahead = 0;
	bop_kick(cm, b);
}

static void
thaw(struct cachemgr *cm, struct bop *b)
{
	slot_note_whole(cm, b->cur);
	slot_set_flags(cm, b->cur, 0, SLOT_F_WANT);
	slot_set_state(cm, b->cur, SLOT_LIVE);
	b->merge = MERGE_NONE;
}

bool
merge_step(struct cachemgr *cm, struct bop *b)
{
	int error;

	if (b->merge == MERGE_NONE) {
		if (b->fetch != FETCH_READY)
			return (false);
		if (shared_replace(cm, b))
			return (true);
		if (b->cur == IPC_NO_SLOT || slot_whole(cm, b->cur) ||
		    (head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE) != 0) {
			give_up_base(cm, b); /* nothing is missing any more */
			return (true);
		}
		if (b->upload != UP_NONE)
			return (false);
		b->merge = MERGE_BASE;
		slot_set_state(cm, b->cur, SLOT_FROZEN);
		slot_set_flags(cm, b->cur, SLOT_F_WANT, 0);
	}
	if (hazard_named(&cm->tab, b->cur, true)) {
		bop_wait_hazard(cm, b);
		return (false);
	}
	if (b->merge == MERGE_ZEROFILL) {
		merge_zerofill(cm, b);
	} else {
		error = bytes_fill_missing(cm, b->base, b->cur);
		if (error < 0)
			log_err(error, "cannot complete a block in the cache: block=%u", b->block);
		else
			ctr_inc(cm->ctr, merges);
		give_up_base(cm, b);
	}
	thaw(cm, b);
	return (true);
}
