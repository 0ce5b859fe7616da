/* SPDX-License-Identifier: ISC */
/*
 * bop.c -- block operations: found by block, kicked by every event, freed when nothing goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"

/* A frontend goes on in microseconds; one that is dead does not, nor one with nothing to write. */
#define PROMISE_US 1000000

int
bop_open(struct cachemgr *cm)
{
	uint32_t n = 1024;

	while (n < cm->shm->geo.nslots / 2 && n < 1u << 20)
		n <<= 1;
	cm->bops = calloc(n, sizeof(*cm->bops));
	if (cm->bops == NULL)
		return (-ENOMEM);
	cm->bops_mask = n - 1;
	TAILQ_INIT(&cm->dirty);
	TAILQ_INIT(&cm->due);
	TAILQ_INIT(&cm->uploading);
	TAILQ_INIT(&cm->room_wait);
	TAILQ_INIT(&cm->fetch_wait[0]);
	TAILQ_INIT(&cm->fetch_wait[1]);
	TAILQ_INIT(&cm->hazard_wait);
	TAILQ_INIT(&cm->retry_wait);
	TAILQ_INIT(&cm->unrecorded);
	TAILQ_INIT(&cm->promised);
	STAILQ_INIT(&cm->barriers);
	LIST_INIT(&cm->deletes);
	return (0);
}

static uint32_t
bop_bucket(const struct cachemgr *cm, uint32_t block)
{
	return ((uint32_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & cm->bops_mask);
}

struct bop *
bop_find(struct cachemgr *cm, uint32_t block)
{
	struct bop *b;

	LIST_FOREACH (b, &cm->bops[bop_bucket(cm, block)], hash)
		if (b->block == block)
			return (b);
	return (NULL);
}

struct bop *
bop_get(struct cachemgr *cm, uint32_t block)
{
	struct bop *b = bop_find(cm, block);
	bool sure;

	if (b != NULL)
		return (b);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return (NULL);
	b->block = block;
	b->cur = slot_table_find(&cm->tab, block, &sure);
	if (b->cur == IPC_NO_SLOT && cm->warm != NULL) {
		/* Now or never: what goes on from here would leave a kept slot behind. */
		if (warm_take(cm, block))
			b->cur = slot_table_find(&cm->tab, block, &sure);
		else
			warm_drop(cm, block);
	}
	if (b->cur == IPC_NO_SLOT && zero_get(&cm->tab, block) == ZERO_UNKNOWN)
		lazy_survey_begin(cm);
	b->base = b->up_slot = b->recorded_slot = b->noted_slot = IPC_NO_SLOT;
	STAILQ_INIT(&b->waiters);
	LIST_INSERT_HEAD(&cm->bops[bop_bucket(cm, block)], b, hash);
	cm->nbops++;
	return (b);
}

static void
bop_maybe_free(struct cachemgr *cm, struct bop *b)
{
	if (!STAILQ_EMPTY(&b->waiters) || b->fetch != FETCH_NONE || b->upload != UP_NONE ||
	    b->merge != MERGE_NONE || b->on_dirty || b->on_room || b->on_hazard || b->on_retry ||
	    b->on_queue || b->on_promise)
		return;
	if (b->on_record)
		TAILQ_REMOVE(&cm->unrecorded, b, record);
	/* A slot can be given up when nobody is at work on its block. */
	if (b->cur != IPC_NO_SLOT && !TAILQ_EMPTY(&cm->room_wait))
		cm->room_made = true;
	LIST_REMOVE(b, hash);
	cm->nbops--;
	free(b);
}

void
bop_want_room(struct cachemgr *cm, struct bop *b)
{
	if (b->on_room)
		return;
	b->on_room = 1;
	TAILQ_INSERT_TAIL(&cm->room_wait, b, room);
}

void
bop_wait_hazard(struct cachemgr *cm, struct bop *b)
{
	if (b->on_hazard)
		return;
	b->on_hazard = 1;
	TAILQ_INSERT_TAIL(&cm->hazard_wait, b, hazard);
}

void
bop_retry_at(struct cachemgr *cm, struct bop *b, uint64_t at_us)
{
	b->retry_us = at_us;
	if (b->on_retry)
		return;
	b->on_retry = 1;
	TAILQ_INSERT_TAIL(&cm->retry_wait, b, retry);
}

void
kick_queue(struct cachemgr *cm, struct bop_queue *q)
{
	struct bop_queue work = TAILQ_HEAD_INITIALIZER(work);
	struct bop *b;

	/* Kicks may queue again, at the end of the emptied queue; so each is kicked once. */
	if (q == &cm->room_wait) {
		TAILQ_CONCAT(&work, q, room);
		while ((b = TAILQ_FIRST(&work)) != NULL) {
			TAILQ_REMOVE(&work, b, room);
			b->on_room = 0;
			bop_kick(cm, b);
		}
	} else {
		TAILQ_CONCAT(&work, q, hazard);
		while ((b = TAILQ_FIRST(&work)) != NULL) {
			TAILQ_REMOVE(&work, b, hazard);
			b->on_hazard = 0;
			bop_kick(cm, b);
		}
	}
}

bool
dirty_room(const struct cachemgr *cm)
{
	return (cm->ndirty + cm->npromised < cm->max_dirty);
}

/* At once: a frontend told to look again must not find the old answer and ask again. */
static void
publish_room(struct cachemgr *cm)
{
	atomic_store(&cm->st->dirty_full, !dirty_room(cm));
}

void
bop_promise(struct cachemgr *cm, struct bop *b)
{
	if (b->on_promise)
		return;
	b->on_promise = 1;
	b->promised_us = cm->now_us;
	TAILQ_INSERT_TAIL(&cm->promised, b, promise);
	cm->npromised++;
	publish_room(cm);
}

static void
promise_end(struct cachemgr *cm, struct bop *b)
{
	if (!b->on_promise)
		return;
	b->on_promise = 0;
	TAILQ_REMOVE(&cm->promised, b, promise);
	cm->npromised--;
	/* Eviction passed its slot over, as one that somebody is at work on, and may have given up. */
	if (!TAILQ_EMPTY(&cm->room_wait))
		cm->room_made = true;
}

void
bop_promises_old(struct cachemgr *cm)
{
	struct bop *b;

	while (
	    (b = TAILQ_FIRST(&cm->promised)) != NULL && cm->now_us >= b->promised_us + PROMISE_US) {
		promise_end(cm, b);
		publish_room(cm);
		bop_kick(cm, b);
	}
}

void
dirty_count(struct cachemgr *cm, int change)
{
	MUST(change > 0 || cm->ndirty > 0);
	cm->ndirty += (uint32_t)change;
	if (change < 0) {
		cm->room_made = true;
		cm->pend_blocked = false;
	}
	publish_room(cm);
}

void
bop_set_dirty(struct cachemgr *cm, struct bop *b)
{
	MUST(b->cur != IPC_NO_SLOT);
	evict_remove(cm, b->cur);
	promise_end(cm, b); /* dirty_count() publishes it, if this is new */
	if (b->on_dirty)
		return;
	b->on_dirty = 1;
	b->dirty_us = cm->now_us;
	b->dirty_wseq = atomic_load(&cm_slot(cm, b->cur)->wseq);
	b->calm = 0;
	b->again = b->upload != UP_NONE ||
		   sent_lately(cm, b->cur, WRITEBACK_CALM_MOST * cm->write_delay_us);
	b->dirty_id = cm->barrier;
	b->dirty_acked = atomic_load(&cm->st->acked_seq);
	TAILQ_INSERT_TAIL(&cm->dirty, b, dirty);
	writeback_later(cm, b, cm->now_us + cm->write_delay_us);
	dirty_count(cm, 1);
	if (cm->commit != NULL)
		commit_note_dirty(cm, b);
}

void
bop_clear_dirty(struct cachemgr *cm, struct bop *b)
{
	if (!b->on_dirty)
		return;
	b->on_dirty = 0;
	TAILQ_REMOVE(&cm->dirty, b, dirty);
	writeback_forget(cm, b);
	dirty_count(cm, -1);
}

void
bop_kick(struct cachemgr *cm, struct bop *b)
{
	/* Each step may enable the next: a merge makes reads answerable, a fetch makes a merge. */
	if (b->upload == UP_FREEZING)
		upload_step(cm, b);
	while (merge_step(cm, b))
		;
	b->want_fetch = 0; /* who still needs one says so again now */
	request_serve(cm, b);
	if (b->want_upload && b->upload == UP_NONE && b->merge == MERGE_NONE)
		upload_try(cm, b);
	if (b->want_fetch && b->fetch == FETCH_NONE)
		fetch_try(cm, b);
	bop_maybe_free(cm, b);
}
