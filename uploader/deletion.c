/* SPDX-License-Identifier: ISC */
/*
 * deletion.c -- DELETE of many blocks: runs that came in one request, in bulk where the store can,
 * else one by one with a few at a time.
 *
 * The runs are kept as runs (a trimmed disk is one run, not millions of keys); `at` walks through
 * them chunk by chunk.  A chunk that fails is done again as a whole: a block that is gone already
 * counts as deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/check.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/fence.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define SINGLE_AT_ONCE 16

struct run {
	uint32_t first;
	uint32_t count;
};

struct deletion {
	struct work w; /* first */
	struct run *run;
	size_t nruns, room;
	size_t at_run; /* the next block is run[at_run].first + at_block */
	uint32_t at_block;
	bool twice; /* IPC_F_VERIFY: once more when nothing of a predecessor can land */
	uint32_t chunk[STORE_DELETE_MAX];
	unsigned nchunk;
	uint64_t chunk_us; /* when it was first asked for */
	struct store_op many;
	/* one by one */
	struct store_op *single; /* [SINGLE_AT_ONCE] */
	unsigned next, flying;
	struct store_reply worst; /* of the chunk's failures */
};

static void
deletion_ended(struct work *w)
{
	struct deletion *d = (struct deletion *)w;

	free(d->single);
	free(d->run);
	free(d);
}

static bool
next_chunk(struct deletion *d)
{
	d->nchunk = 0;
	d->chunk_us = now_us();
	while (d->at_run < d->nruns && d->nchunk < STORE_DELETE_MAX) {
		struct run *r = &d->run[d->at_run];

		d->chunk[d->nchunk++] = r->first + d->at_block;
		if (++d->at_block == r->count) {
			d->at_block = 0;
			d->at_run++;
		}
	}
	return (d->nchunk > 0);
}

static void many_attempt(struct work *);

static void
delete_next(struct work *w)
{
	struct deletion *d = (struct deletion *)w;

	if (!next_chunk(d) && d->twice) {
		d->twice = false;
		d->at_run = 0;
		w->attempt = many_attempt;
		(void)next_chunk(d);
	}
	if (d->nchunk > 0)
		w->attempt(w);
	else
		work_done(w, 0, 0, 0, NULL);
}

static void
chunk_done(struct deletion *d)
{
	struct work *w = &d->w;
	void (*attempt)(struct work *) = w->attempt;

	work_succeeded(w);
	ctr_inc(w->up->env->counters, delete_ok);
	hist_add(&w->up->env->counters->hist[HIST_DELETE], now_us() - d->chunk_us);
	ctr_add(w->up->env->counters, delete_keys, d->nchunk);
	w->retry = (struct retry){0};
	/* A DELETE that lands late would take a block with it that is written meanwhile. */
	if (d->at_run == d->nruns && work_settle(w, delete_next))
		return;
	w->attempt = attempt;
	delete_next(w);
}

/* ---- one by one ---------------------------------------------------------------------------- */
static void single_go_on(struct deletion *);

static void
single_done(struct store_op *op)
{
	struct deletion *d = op->arg;
	const struct store_reply *r = &op->reply;

	d->flying--;
	op->done = NULL; /* free for the next */
	if (r->fail != FAIL_NONE && r->fail != FAIL_ABSENT) {
		bool unknown = d->worst.unknown || r->unknown,
		     may = d->worst.may_land || r->may_land;

		d->worst = *r;
		d->worst.unknown = unknown;
		d->worst.may_land = may;
		d->next = d->nchunk; /* no more of this chunk */
	}
	single_go_on(d);
}

static void
single_go_on(struct deletion *d)
{
	bool fenced = fence_closed(d->w.up->env->state);
	unsigned i = 0;

	for (; d->next < d->nchunk && d->flying < SINGLE_AT_ONCE && !fenced; d->next++) {
		while (d->single[i].done != NULL)
			i++;
		memset(&d->single[i], 0, sizeof(d->single[i]));
		d->single[i].kind = STORE_DELETE;
		d->single[i].block = d->chunk[d->next];
		d->single[i].done = single_done;
		d->single[i].arg = d;
		d->flying++;
		store_submit(d->w.up->store, &d->single[i]);
	}
	if (d->flying > 0)
		return;
	if (d->next < d->nchunk && work_fenced(&d->w))
		return;
	if (d->worst.fail != FAIL_NONE)
		work_failed(&d->w, &d->worst);
	else
		chunk_done(d);
}

static void
single_attempt(struct work *w)
{
	struct deletion *d = (struct deletion *)w;

	if (d->single == NULL)
		d->single = calloc(SINGLE_AT_ONCE, sizeof(d->single[0]));
	MUST(d->single != NULL);
	d->next = 0;
	memset(&d->worst, 0, sizeof(d->worst));
	single_go_on(d);
}

/* ---- in bulk ------------------------------------------------------------------------------- */
static void
many_done(struct store_op *op)
{
	struct deletion *d = op->arg;
	struct work *w = &d->w;
	const struct store_reply *r = &op->reply;

	if (r->fail == FAIL_NONE) {
		chunk_done(d);
	} else if (!fail_heals(r->fail)) {
		if (!w->up->bulk_refused)
			log_info("the store does not delete in bulk, so one by one: %s", r->why);
		w->up->bulk_refused = true;
		w->attempt = single_attempt;
		single_attempt(w);
	} else {
		work_failed(w, r);
	}
}

static void
many_attempt(struct work *w)
{
	struct deletion *d = (struct deletion *)w;

	if (d->nchunk < 3 || w->up->bulk_refused) {
		w->attempt = single_attempt;
		single_attempt(w);
		return;
	}
	if (work_fenced(w))
		return;
	d->many.kind = STORE_DELETE_MANY;
	d->many.blocks = d->chunk;
	d->many.nblocks = d->nchunk;
	d->many.done = many_done;
	d->many.arg = d;
	store_submit(w->up->store, &d->many);
}

static void
delete_begin(struct work *w)
{
	w->attempt = many_attempt;
	delete_next(w);
}

/* ---- messages ------------------------------------------------------------------------------ */
static void
add_run(struct deletion *d, const struct ipc_msg *m)
{
	if (m->arg == 0)
		return;
	if (d->nruns == d->room) {
		d->room = d->room != 0 ? 2 * d->room : 4;
		d->run = reallocarray(d->run, d->room, sizeof(d->run[0]));
		MUST(d->run != NULL);
	}
	d->run[d->nruns++] = (struct run){(uint32_t)m->block, (uint32_t)m->arg};
}

/* The runs of one request come one after the other, all but the last with MORE. */
void
deletion_message(struct uploader *up, const struct ipc_msg *m)
{
	struct deletion *d = (struct deletion *)up->deleting;

	if (d != NULL && d->w.msg.req_id != m->req_id) {
		/* cachemgr died between two runs; nobody waits for that request any more. */
		up->deleting = NULL;
		d->w.pausing = false;
		work_done(&d->w, -ECANCELED, 0, 0, NULL);
		d = NULL;
	}
	if (d == NULL) {
		d = calloc(1, sizeof(*d));
		MUST(d != NULL);
		work_init(up, &d->w, m);
		d->w.ended = deletion_ended;
		d->w.attempt = many_attempt;
	}
	add_run(d, m);
	if ((m->flags & IPC_F_VERIFY) != 0) {
		d->twice = true;
		d->w.land_us = now_us() + min_u64(up->settle_us, IPC_LANDING_US);
	}
	d->w.pausing = (m->flags & IPC_F_MORE) != 0;
	up->deleting = d->w.pausing ? &d->w : NULL;
	if (up->deleting == NULL)
		work_begin(&d->w, delete_begin);
}
