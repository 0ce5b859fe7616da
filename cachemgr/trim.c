/* SPDX-License-Identifier: ISC */
/*
 * trim.c -- zeroed ranges and the objects that still have to be deleted for them.
 *
 * A trim takes effect at once: slots are given up, and blocks whose object may exist become PENDING
 * in the known-zero map, which reads as zero.  PENDING is dirty without bytes (D7): it is committed
 * like a dirty slot and ends when the DELETE is answered, or when a PUT replaces the object.
 *
 * Deletes go out in batches of up to 1000 names.  A block named in a batch in flight is not
 * uploaded until the batch is answered; a block with an upload in flight is not put into a batch.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"

#define BATCH_BLOCKS 1000 /* names in one bulk delete (S3's limit) */
#define BATCHES_MAX  16	  /* batches in flight */
#define RETRY_US     1000000

void
zero_change(struct cachemgr *cm, uint32_t block, enum zero_state to)
{
	enum zero_state from = zero_get(&cm->tab, block);

	if (from == to)
		return;
	if (from == ZERO_PENDING) {
		MUST(cm->npending > 0);
		cm->npending--;
	}
	if (to == ZERO_PENDING) {
		cm->pend_blocked = false;
		if (cm->npending++ == 0) {
			cm->pend_since_us = cm->now_us;
			cm->pend_lo = cm->pend_cursor = block;
			cm->pend_hi = (uint64_t)block + 1;
		}
		if (block < cm->pend_lo)
			cm->pend_lo = block;
		if (block >= cm->pend_hi)
			cm->pend_hi = (uint64_t)block + 1;
	}
	if (from == ZERO_PRESENT)
		atomic_fetch_sub(&cm->st->present_blocks, 1);
	if (to == ZERO_PRESENT)
		atomic_fetch_add(&cm->st->present_blocks, 1);
	zero_set(&cm->tab, block, to);
	if (cm->commit != NULL && (from == ZERO_PENDING || to == ZERO_PENDING))
		commit_note_zero(cm, block, to == ZERO_PENDING);
}

/* Give up what the block has in the cache; the map says zero already, or will at once. */
static void
drop_slots(struct cachemgr *cm, struct bop *b)
{
	uint32_t cur = b->cur;

	bop_clear_dirty(cm, b);
	upload_unreadable(cm, b, 0);
	if (b->upload == UP_FREEZING)
		upload_cancel(cm, b); /* not sent yet, and must not be now */
	if (b->fetch == FETCH_INFLIGHT)
		b->drop_base = 1;
	if (b->up_slot != IPC_NO_SLOT) {
		slot_set_flags(cm, b->up_slot, SLOT_F_GONE, 0);
		if (cm->commit != NULL)
			commit_note_dropped(cm, b->up_slot);
	}
	if (cur == IPC_NO_SLOT)
		return;
	slot_drop(cm, cur);
	if (cm->commit != NULL)
		commit_note_dropped(cm, cur); /* it may be in limbo for longer than one batch */
	b->cur = IPC_NO_SLOT;
	b->merge = MERGE_NONE;
	/* The base and the slot on its way are still being used; their ends release them. */
	if (cur != b->base && cur != b->up_slot)
		slot_release(cm, cur);
}

static void
trim_block(struct cachemgr *cm, uint32_t block)
{
	enum zero_state z = zero_get(&cm->tab, block);
	struct bop *b = bop_find(cm, block);
	bool sure;

	if (b == NULL && slot_table_find(&cm->tab, block, &sure) != IPC_NO_SLOT)
		b = bop_get(cm, block);
	/*
	 * The map first: a reader that still finds the slot reads the old bytes, one that does not
	 * finds zeros; nobody falls between and asks the bucket.
	 */
	if (z != ZERO_PENDING && (z != ZERO_ABSENT || cm->shared))
		zero_change(cm, block, ZERO_PENDING);
	if (b != NULL) {
		drop_slots(cm, b);
		bop_kick(cm, b);
	}
}

/* Blocks with nothing in the cache: whole words of the map at a time where it already says zero. */
static void
trim_map(struct cachemgr *cm, uint64_t block, uint64_t end)
{
	while (block < end) {
		if (!cm->shared && (block & 31) == 0 && end - block >= 32 &&
		    atomic_load_explicit(&cm->tab.zero[block >> 5], memory_order_relaxed) ==
			UINT64_C(0x5555555555555555)) {
			block += 32;
			continue;
		}
		if (zero_get(&cm->tab, block) != ZERO_PENDING &&
		    (cm->shared || !zero_reads_zero(zero_get(&cm->tab, block))))
			zero_change(cm, (uint32_t)block, ZERO_PENDING);
		block++;
	}
}

void
trim_handle(struct cachemgr *cm, const struct ipc_msg *m)
{
	uint64_t end = m->block + m->arg;

	lazy_survey_begin(cm); /* it spares deletes */
	warm_trim(cm, m->block, end);
	if (m->arg <= cm->shm->geo.nslots) {
		for (uint64_t i = m->block; i < end; i++)
			trim_block(cm, (uint32_t)i);
	} else {
		/* More blocks than slots: visit the slots instead, then the map alone. */
		for (uint32_t s = 0; s < cm->shm->geo.nslots; s++) {
			uint64_t h = cm_head(cm, s);

			if (head_linked(h) && head_block(h) >= m->block && head_block(h) < end)
				trim_block(cm, head_block(h));
		}
		trim_map(cm, m->block, end);
	}
	cm_reply_fe(cm, m->req_id, 0);
}

/* May this block's object be deleted now? */
static bool
deletable(struct cachemgr *cm, uint64_t block)
{
	const struct bop *b;

	if (zero_get(&cm->tab, block) != ZERO_PENDING || delete_covers(cm, (uint32_t)block))
		return (false);
	/* Not listed yet: the listing may spare the request. */
	if (cm->survey_on && block >= atomic_load(&cm->st->survey_next))
		return (false);
	/* A request of this block is in flight, or a PUT is to come that replaces the object. */
	b = bop_find(cm, (uint32_t)block);
	return (b == NULL || (b->upload == UP_NONE && !b->on_dirty));
}

/* Every run is a message: all batches in flight together keep to a quarter of one ring. */
static uint32_t
runs_left(const struct cachemgr *cm)
{
	uint32_t limit = cm->shm->geo.ring_msgs / 4;

	return (cm->delete_runs < limit ? limit - cm->delete_runs : 0);
}

/* Past whole words of the map in which nothing is PENDING (both bits set). */
static uint64_t
next_candidate(struct cachemgr *cm, uint64_t block)
{
	while ((block & 31) == 0 && block < cm->pend_hi) {
		uint64_t w = atomic_load_explicit(&cm->tab.zero[block >> 5], memory_order_relaxed);

		if ((w & (w >> 1) & UINT64_C(0x5555555555555555)) != 0)
			break;
		block += 32;
	}
	return (block);
}

/*
 * The next batch from the cursor on; NULL when the cursor has gone once round without finding one.
 * In rising order, which delete_covers() relies on: a batch never goes round the end.
 */
static struct del_batch *
gather(struct cachemgr *cm)
{
	struct del_batch *d = calloc(1, sizeof(*d) + BATCH_BLOCKS * sizeof(d->run[0]));
	uint64_t start = cm->pend_cursor;
	bool wrapped = false;

	if (d == NULL)
		return (NULL);
	if (start < cm->pend_lo || start >= cm->pend_hi)
		start = cm->pend_cursor = cm->pend_lo;
	while (d->nblocks < BATCH_BLOCKS && d->nruns < runs_left(cm)) {
		uint64_t block = next_candidate(cm, cm->pend_cursor);

		if (wrapped && block >= start)
			break;
		if (block >= cm->pend_hi) {
			if (d->nblocks > 0 || wrapped)
				break;
			wrapped = true;
			cm->pend_cursor = cm->pend_lo;
			continue;
		}
		cm->pend_cursor = block + 1;
		if (!deletable(cm, block))
			continue;
		if (d->nruns > 0 &&
		    d->run[d->nruns - 1].block + d->run[d->nruns - 1].count == block)
			d->run[d->nruns - 1].count++;
		else
			d->run[d->nruns++] = (struct del_run){(uint32_t)block, 1};
		d->nblocks++;
	}
	if (d->nblocks > 0)
		return (d);
	free(d);
	return (NULL);
}

void
delete_landing(struct cachemgr *cm, const struct del_batch *d)
{
	for (uint32_t i = 0; i < d->nruns; i++)
		landing_note(cm, d->run[i].block, d->run[i].count);
}

static bool
delete_send(struct cachemgr *cm, struct del_batch *d)
{
	struct ipc_msg m = {.type = IPC_DELETE};
	struct xfer *x = sched_start(cm, XFER_DELETE, &m);

	if (x == NULL)
		return (false);
	x->del = d;
	LIST_INSERT_HEAD(&cm->deletes, d, link);
	cm->ndeletes++;
	cm->delete_runs += d->nruns;
	for (uint32_t i = 0; i < d->nruns; i++) {
		m.block = d->run[i].block;
		m.arg = d->run[i].count;
		m.flags = i + 1 < d->nruns ? IPC_F_MORE : 0;
		if (landing_possible(cm, m.block, m.arg))
			m.flags |= IPC_F_VERIFY;
		(void)sched_send(cm, x, &m);
	}
	return (true);
}

void
delete_run(struct cachemgr *cm)
{
	struct del_batch *d;
	bool urgent = !STAILQ_EMPTY(&cm->barriers) || cm->npending >= BATCH_BLOCKS;

	if (cm->npending == 0 || cm->now_us < cm->pend_retry_us || cm->pend_blocked ||
	    !lease_holds(cm) || landing_quiet(cm))
		return;
	if (!urgent && cm->now_us < cm->pend_since_us + cm->write_delay_us)
		return;
	while (cm->ndeletes < BATCHES_MAX && runs_left(cm) > 0) {
		d = gather(cm);
		if (d == NULL) {
			/* All of them wait for something; whatever that is, clears this again. */
			cm->pend_blocked = true;
			return;
		}
		if (!delete_send(cm, d)) {
			free(d);
			return;
		}
	}
}

bool
delete_covers(struct cachemgr *cm, uint32_t block)
{
	const struct del_batch *d;

	LIST_FOREACH (d, &cm->deletes, link) {
		uint32_t lo = 0, hi = d->nruns;

		while (lo < hi) { /* the runs are in order, save where the cursor wrapped */
			uint32_t mid = (lo + hi) / 2;

			if (d->run[mid].block + d->run[mid].count <= block)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < d->nruns && d->run[lo].block <= block)
			return (true);
	}
	return (false);
}

void
delete_done(struct cachemgr *cm, struct del_batch *d, const struct ipc_msg *m)
{
	LIST_REMOVE(d, link);
	cm->ndeletes--;
	cm->delete_runs -= d->nruns;
	cm->pend_blocked = false;
	if (m->status < 0 && m->status != -EAGAIN) {
		log_err(m->status, "delete failed, will try again: blocks=%u first=%u", d->nblocks,
		    d->run[0].block);
		cm->pend_retry_us = cm->now_us + RETRY_US;
	}
	for (uint32_t i = 0; i < d->nruns; i++) {
		for (uint32_t k = 0; k < d->run[i].count; k++) {
			uint32_t block = d->run[i].block + k;
			struct bop *b;

			if (m->status == 0 && zero_get(&cm->tab, block) == ZERO_PENDING)
				zero_change(cm, block, ZERO_ABSENT);
			if ((b = bop_find(cm, block)) != NULL)
				bop_kick(cm, b); /* its upload waited for us */
		}
	}
	if (m->status == 0)
		ctr_add(cm->ctr, trims_done, d->nblocks);
	free(d);
}
