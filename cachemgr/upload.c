/* SPDX-License-Identifier: ISC */
/*
 * upload.c -- writing back: which block when, freezing its slot, what follows from the answer.
 *
 *	dirty --upload_try--> FREEZING --no writer inside--> INFLIGHT --ok--> clean
 *	  ^                                                      |
 *	  +---------------------- failed ------------------------+
 *
 * While INFLIGHT the slot is frozen; a writer gets a copy, which is the block's current slot then,
 *and waits in turn: one request per block is in flight at any time, so the bucket sees a block's
 *states in order.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"

#define RETRY_US    1000000
#define GATHER	    20	   /* write delays that a block in constant use may wait */
#define PAUSES	    8	   /* of its own mean pause: a block is at rest after so many */
#define RATE_WINDOW 200000 /* us over which the upload rate is measured */

static bool
complete(struct cachemgr *cm, uint32_t slot)
{
	return ((head_flags(cm_head(cm, slot)) & SLOT_F_ZBASE) != 0 || slot_whole(cm, slot));
}

static void
want_no_more(struct cachemgr *cm, struct bop *b)
{
	if (b->want_upload)
		cm->nwant--;
	b->want_upload = 0;
}

void
upload_try(struct cachemgr *cm, struct bop *b)
{
	if (!b->on_dirty || b->cur == IPC_NO_SLOT) {
		want_no_more(cm, b);
		return;
	}
	if (b->on_retry || delete_covers(cm, b->block))
		return;
	if (!complete(cm, b->cur)) {
		b->want_fetch = 1;
		return;
	}
	if (!sched_has_room(cm, XFER_PUT) || !lease_holds(cm)) {
		want_no_more(cm, b);
		writeback_later(cm, b, 0); /* as soon as there is a place */
		return;
	}
	want_no_more(cm, b);
	b->upload = UP_FREEZING;
	b->up_slot = b->cur;
	b->up_dirty_us = b->dirty_us;
	b->up_dirty_id = b->dirty_id;
	b->up_acked = b->dirty_acked;
	bop_clear_dirty(cm, b);
	dirty_count(cm, 1); /* it still is; only on the other list */
	TAILQ_INSERT_TAIL(&cm->uploading, b, up);
	cm->writes_inflight++; /* the place is taken from now on */
	slot_set_state(cm, b->cur, SLOT_FROZEN);
	slot_set_flags(cm, b->cur, SLOT_F_WANT, 0);
	upload_step(cm, b);
}

void
upload_cancel(struct cachemgr *cm, struct bop *b)
{
	TAILQ_REMOVE(&cm->uploading, b, up);
	dirty_count(cm, -1);
	cm->writes_inflight--;
	b->upload = UP_NONE;
	b->up_slot = IPC_NO_SLOT;
}

void
upload_step(struct cachemgr *cm, struct bop *b)
{
	struct ipc_msg m = {.type = IPC_PUT, .block = b->block, .len = cm->shm->geo.block_size};
	struct xfer *x;

	if (hazard_named(&cm->tab, b->up_slot, true)) {
		bop_wait_hazard(cm, b);
		return;
	}
	slot_set_flags(cm, b->up_slot, 0, SLOT_F_WANT);
	b->up_wseq = atomic_load(&cm_slot(cm, b->up_slot)->wseq);
	b->upload = UP_INFLIGHT;
	m.slot = b->up_slot;
	m.slot_gen = head_gen(cm_head(cm, b->up_slot));
	if (!cm->shared && zero_get(&cm->tab, b->block) == ZERO_ABSENT)
		m.flags |= IPC_F_ABSENT;
	if ((head_flags(cm_head(cm, b->up_slot)) & SLOT_F_ZBASE) != 0)
		m.flags |= IPC_F_ZBASE;
	if (landing_possible(cm, b->block, 1))
		m.flags |= IPC_F_VERIFY;
	/* Before the request leaves: a survey that does not see the object must not believe itself.
	 */
	zero_change(cm, b->block, ZERO_PRESENT);
	survey_note_put(cm, b->block);
	cm->writes_inflight--; /* sched_start() counts it */
	x = sched_start(cm, XFER_PUT, &m);
	MUST(x != NULL);
	x->bop = b;
	x->slot = b->up_slot;
	(void)sched_send(cm, x, &m);
}

/*
 * Uploaders repeat a PUT for as long as it takes; what comes back as an error is that the cache file cannot be
 * read.  The bytes are nowhere else, so it is tried again and again, and whoever asks is told.
 */
void
upload_unreadable(struct cachemgr *cm, struct bop *b, int error)
{
	uint32_t degraded = DISK_DEGRADED, running = DISK_RUNNING;

	if (b->unreadable == (error < 0) && error == 0)
		return;
	cm->nunreadable += (error < 0) - b->unreadable;
	b->unreadable = error < 0;
	if (atomic_load(&cm->st->cache_broken) != 0)
		return; /* void.c has something worse to say */
	if (error < 0) {
		(void)snprintf(cm->st->why, sizeof(cm->st->why),
		    "cache file: %s; changes that lie in it cannot be uploaded: blocks=%u one=%u",
		    strerror(-error), cm->nunreadable, b->block);
		(void)atomic_compare_exchange_strong(&cm->st->disk_state, &running, DISK_DEGRADED);
	} else if (cm->nunreadable == 0) {
		log_info("the cache file can be read again");
		(void)atomic_compare_exchange_strong(&cm->st->disk_state, &degraded, DISK_RUNNING);
	}
}

/* The bucket holds what was frozen. */
static void
upload_ok(struct cachemgr *cm, struct bop *b, const struct ipc_msg *m)
{
	bool zero = (m->flags & IPC_F_ZERO) != 0;

	ctr_inc(cm->ctr, uploads);
	upload_unreadable(cm, b, 0);
	cm->rate_bytes += cm->shm->geo.block_size;
	/* A trim that came meanwhile has put the block to PENDING; the object exists then. */
	if (zero_get(&cm->tab, b->block) != ZERO_PENDING)
		zero_change(cm, b->block, zero ? ZERO_ABSENT : ZERO_PRESENT);
	if (b->cur == b->up_slot) {
		atomic_store(&cm_slot(cm, b->cur)->cseq, b->up_wseq);
		slot_note_whole(cm, b->cur);
		sent_note(cm, b->cur);
		slot_set_state(cm, b->cur, SLOT_LIVE);
		evict_insert(cm, b->cur);
		if (zero)
			warm_strike(cm, b->cur);
		else
			warm_note(cm, b->cur, m);
		b->recorded_slot = IPC_NO_SLOT; /* what is on record is about to end */
		b->noted_slot = IPC_NO_SLOT;
		if (cm->commit != NULL)
			commit_note_clean(cm, b->cur);
	} else {
		slot_release(cm, b->up_slot);
	}
}

static void
upload_failed(struct cachemgr *cm, struct bop *b, int status)
{
	if (status != -EAGAIN) {
		log_err(status, "upload failed, will try again: block=%u", b->block);
		if (status != -ECANCELED)
			upload_unreadable(cm, b, status);
		bop_retry_at(cm, b, cm->now_us + RETRY_US);
	}
	if (b->cur == b->up_slot)
		slot_set_state(cm, b->cur, SLOT_LIVE);
	else
		slot_release(cm, b->up_slot); /* the newer one, if any, holds all of it */
	if (b->cur == IPC_NO_SLOT)
		return;
	/* Back to the head of the list with its age: it was the oldest when it left. */
	bop_clear_dirty(cm, b);
	b->on_dirty = 1;
	b->dirty_us = b->up_dirty_us;
	b->dirty_id = b->up_dirty_id;
	b->dirty_acked = b->up_acked;
	TAILQ_INSERT_HEAD(&cm->dirty, b, dirty);
	dirty_count(cm, 1);
	writeback_later(cm, b, 0);
}

void
upload_done(struct cachemgr *cm, struct bop *b, const struct ipc_msg *m)
{
	TAILQ_REMOVE(&cm->uploading, b, up);
	dirty_count(cm, -1);
	b->upload = UP_NONE;
	if (m->status == 0)
		upload_ok(cm, b, m);
	else
		upload_failed(cm, b, m->status);
	b->up_slot = IPC_NO_SLOT;
	if (b->on_dirty && !b->on_due)
		writeback_later(
		    cm, b, 0); /* a newer copy, whose time came while this one was away */
	bop_kick(cm, b);
}

void
writeback_forget(struct cachemgr *cm, struct bop *b)
{
	if (b->on_due)
		TAILQ_REMOVE(&cm->due, b, due);
	b->on_due = 0;
}

void
writeback_later(struct cachemgr *cm, struct bop *b, uint64_t check_us)
{
	writeback_forget(cm, b);
	b->on_due = 1;
	b->check_us = check_us;
	b->seen_wseq = atomic_load(&cm_slot(cm, b->cur)->wseq);
	/* In order, as the delay is one and the same, save for those that are wanted at once. */
	if (check_us <= cm->now_us)
		TAILQ_INSERT_HEAD(&cm->due, b, due);
	else
		TAILQ_INSERT_TAIL(&cm->due, b, due);
}

/* Should the oldest go, whether they are still being written or not? */
static bool
urgent(struct cachemgr *cm)
{
	/* Many dirty blocks: waiting for further writes would only fill the cache. */
	return (cm->ndirty > cm->max_dirty / 2 || !TAILQ_EMPTY(&cm->room_wait) || cm->drained ||
		!STAILQ_EMPTY(&cm->barriers));
}

/*
 * A block that was written since the last look will be written again: uploading it now would send the
 * same block many times, and every writer meanwhile would have to be given a copy.  It waits until a
 * whole write delay has passed without a write.  A quarter of a second is only a pause to a block that
 * is written ten times a second at random, so one that was written repeatedly has to be calm for PAUSES
 * times the mean time between its writes, up to WRITEBACK_CALM_MOST delays, and one that came back soon after
 * its last upload for so many.  All of that for not more than GATHER delays, nor beyond maxDirtyAge.
 */
static bool
still_written(struct cachemgr *cm, struct bop *b)
{
	uint64_t limit = GATHER * cm->write_delay_us, age = cm->now_us - b->dirty_us, calm_us;
	uint32_t wseq = atomic_load(&cm_slot(cm, b->cur)->wseq), writes = wseq - b->dirty_wseq;

	if (limit > cm->max_dirty_age_us)
		limit = cm->max_dirty_age_us;
	if (age + cm->write_delay_us >= limit)
		return (false);
	b->calm = wseq == b->seen_wseq ? b->calm + 1 : 0;
	if (b->calm == 0)
		return (true);
	if (b->calm >= WRITEBACK_CALM_MOST)
		return (false);
	if (b->again)
		return (true);
	calm_us = b->calm * cm->write_delay_us;
	return (writes >= 2 && age > calm_us && calm_us < PAUSES * (age - calm_us) / writes);
}

static bool
may_start(const struct bop *b)
{
	return (!b->want_upload && b->upload == UP_NONE && !b->on_retry);
}

static void
want(struct cachemgr *cm, struct bop *b)
{
	b->want_upload = 1;
	cm->nwant++;
	bop_kick(cm, b);
}

static bool
has_place(struct cachemgr *cm)
{
	/* Bops that want an upload and wait for their base or a delete: enough is enough. */
	return (
	    sched_has_room(cm, XFER_PUT) && cm->nwant < cm->max_transfers * 2 && lease_holds(cm));
}

bool
upload_now(struct cachemgr *cm, struct bop *b)
{
	if (!b->on_dirty || b->again || b->cur == IPC_NO_SLOT || !complete(cm, b->cur) ||
	    !may_start(b) || !has_place(cm))
		return (false);
	want(cm, b);
	return (true);
}

void
writeback_run(struct cachemgr *cm)
{
	struct bop *b, *next;

	/* A kick may free the bop it is for, and no other. */
	for (b = TAILQ_FIRST(&cm->dirty); b != NULL && urgent(cm) && has_place(cm); b = next) {
		next = TAILQ_NEXT(b, dirty);
		if (may_start(b))
			want(cm, b);
	}
	while ((b = TAILQ_FIRST(&cm->due)) != NULL && b->check_us <= cm->now_us && has_place(cm)) {
		writeback_forget(cm, b);
		if (!may_start(b))
			continue; /* wanted already, or back here when its pause is over */
		if (still_written(cm, b))
			writeback_later(cm, b, cm->now_us + cm->write_delay_us);
		else
			want(cm, b);
	}
}

uint64_t
writeback_deadline(struct cachemgr *cm)
{
	const struct bop *b;
	uint64_t at = UINT64_MAX;

	TAILQ_FOREACH (b, &cm->retry_wait, retry)
		if (b->retry_us < at)
			at = b->retry_us;
	if (!sched_has_room(cm, XFER_PUT) || !lease_holds(cm))
		return (at); /* a DONE will wake us */
	b = TAILQ_FIRST(&cm->due);
	return (b != NULL && b->check_us < at ? b->check_us : at);
}

/*
 * Writers are slowed smoothly as dirty blocks approach their bound: no limit below 70 %, then from
 * four times the upload rate down to it at 90 %, and to half of it at the bound.
 */
static uint64_t
allowed_rate(const struct cachemgr *cm)
{
	double fill = (double)cm->ndirty / cm->max_dirty;
	double rate = (double)(cm->rate > (1u << 20) ? cm->rate : 1u << 20);

	if (fill < 0.7)
		return (0);
	if (fill < 0.9)
		return ((uint64_t)(rate * (1.0 + 3.0 * (0.9 - fill) / 0.2)));
	return ((uint64_t)(rate * (fill < 1.0 ? 1.0 - 0.5 * (fill - 0.9) / 0.1 : 0.5)));
}

void
throttle_update(struct cachemgr *cm)
{
	uint64_t span = cm->now_us - cm->rate_since_us;
	struct bop *oldest = TAILQ_FIRST(&cm->dirty), *up;
	uint64_t since = oldest != NULL ? oldest->dirty_us : 0;
	uint64_t acked = atomic_load(&cm->st->acked_seq);
	uint64_t seq = oldest != NULL ? oldest->dirty_acked : acked;

	if (span >= RATE_WINDOW) {
		uint64_t rate = cm->rate_bytes * 1000000 / span;

		/* Nothing was to be done is not the same as slow: keep what was measured. */
		if (cm->rate_bytes > 0)
			cm->rate = cm->rate == 0 ? rate : (cm->rate * 3 + rate) / 4;
		cm->rate_bytes = 0;
		cm->rate_since_us = cm->now_us;
	}
	TAILQ_FOREACH (up, &cm->uploading, up) {
		if (since == 0 || up->up_dirty_us < since)
			since = up->up_dirty_us;
		if (up->up_acked < seq)
			seq = up->up_acked;
	}
	atomic_store(&cm->st->oldest_dirty_us, since);
	atomic_store(&cm->st->dirty_blocks, cm->ndirty);
	atomic_store(&cm->st->bucket_seq, seq);
	atomic_store(&cm->st->upload_rate, cm->rate);
	atomic_store(&cm->st->pending_deletes, cm->npending);
	atomic_store(&cm->st->in_flight, cm->reads_inflight + cm->writes_inflight);
	atomic_store(&cm->st->write_rate, allowed_rate(cm));
}
