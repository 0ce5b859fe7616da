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
	bop_set_cur(b, IPC_NO_SLOT);
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

/*
 * Blocks with nothing in the cache.  Where the listing has been, what is not PRESENT needs no
 * delete; where it has not, all become PENDING, but for those that are known to be absent.
 */
static void
trim_map(struct cachemgr *cm, uint64_t block, uint64_t end)
{
	uint64_t listed = atomic_load(&cm->st->survey_next), next;

	if (cm->shared) {
		zero_change_range(cm, block, end, ZERO_PENDING);
		return;
	}
	listed = listed < block ? block : listed < end ? listed : end;
	while ((block = zero_next(cm, block, listed, ZERO_PRESENT)) < listed)
		zero_change(cm, (uint32_t)block, ZERO_PENDING);
	for (; block < end; block = next + 1) {
		next = zero_next(cm, block, end, ZERO_ABSENT);
		zero_change_range(cm, block, next, ZERO_PENDING);
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

/*
 * The next batch from the cursor on; NULL when the cursor has gone once round without finding one.
 * In rising order, which delete_covers() relies on: a batch never goes round the end.
 */
static struct del_batch *
gather(struct cachemgr *cm)
{
	struct del_batch *d = calloc(1, sizeof(*d) + BATCH_BLOCKS * sizeof(d->run[0]));
	uint64_t start = cm->pend_cursor, hi = cm->pend_hi;
	bool wrapped = false;

	if (d == NULL)
		return (NULL);
	/* Not listed yet: deletable() would refuse each. */
	if (cm->survey_on && hi > atomic_load(&cm->st->survey_next))
		hi = atomic_load(&cm->st->survey_next);
	if (start < cm->pend_lo || start >= hi)
		start = cm->pend_cursor = cm->pend_lo;
	while (d->nblocks < BATCH_BLOCKS && d->nruns < runs_left(cm)) {
		uint64_t block = zero_next(cm, cm->pend_cursor, hi, ZERO_PENDING);

		if (wrapped && block >= start)
			break;
		if (block >= hi) {
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

	survey_unblock(cm);
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
