/* SPDX-License-Identifier: ISC */
/*
 * listing.c -- LIST: which blocks of a range exist, page by page; consecutive ones travel as one
 * LISTED; with IPC_F_ETAG each travels alone, with its ETag; with IPC_F_PART that ends after one page.
 * The next page is asked for only when cachemgr has taken what was found.
 *
 * With blockHashPrefix the names of a range of blocks lie anywhere: each LIST walks through all names
 * of the disk, so cachemgr does well to ask for the whole disk at once then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/counters.h"
#include "common/timeutil.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define BACKED_UP_US (2 * US_PER_MS) /* cachemgr does not ring us when it has taken a reply */

struct listing {
	struct work w; /* first */
	struct store_op op;
	uint64_t first, count; /* the run that is growing */
	struct timer wait;
	uint64_t page_us; /* when the page was first asked for */
};

static void
listing_ended(struct work *w)
{
	struct listing *l = (struct listing *)w;

	loop_timer_clear(&w->up->loop, &l->wait);
	free(l);
}

static void
send_run(struct listing *l)
{
	struct ipc_msg m = l->w.msg;

	if (l->count == 0)
		return;
	m.type = IPC_LISTED;
	m.flags = 0;
	m.block = l->first;
	m.arg = l->count;
	peer_send(l->w.up, &m);
	ctr_add(l->w.up->env->counters, survey_keys, l->count);
	l->count = 0;
}

/* One at a time: an ETag belongs to one block. */
static void
send_one(struct listing *l, uint32_t block, const uint8_t *etag)
{
	struct ipc_msg m = l->w.msg;

	m.type = IPC_LISTED;
	m.flags = IPC_F_ETAG;
	m.block = block;
	m.arg = 1;
	memset(m.etag, 0, sizeof(m.etag));
	if (etag != NULL)
		memcpy(m.etag, etag, sizeof(m.etag));
	peer_send(l->w.up, &m);
	ctr_inc(l->w.up->env->counters, survey_keys);
}

static void
on_block(struct store_op *op, uint32_t block, const uint8_t *etag)
{
	struct listing *l = op->arg;

	if ((l->w.msg.flags & IPC_F_ETAG) != 0) {
		send_one(l, block, etag);
		return;
	}

	if (l->count > 0 && block == l->first + l->count) {
		l->count++;
		return;
	}
	if (l->count > 0 && block >= l->first && block < l->first + l->count)
		return; /* again, from a page that failed half-way */
	send_run(l);
	l->first = block;
	l->count = 1;
}

static void
list_attempt(struct work *w)
{
	struct listing *l = (struct listing *)w;

	if (l->page_us == 0)
		l->page_us = now_us();
	store_submit(w->up->store, &l->op);
}

static void
list_next(void *arg)
{
	struct listing *l = arg;

	if (peer_backed_up(l->w.up))
		loop_timer_set(&l->w.up->loop, &l->wait, now_us() + BACKED_UP_US);
	else
		list_attempt(&l->w);
}

static void
list_done(struct store_op *op)
{
	struct listing *l = op->arg;
	struct counters *c = l->w.up->env->counters;

	ctr_add(c, list_bytes, op->reply.bytes);
	if (op->reply.fail != FAIL_NONE) {
		work_failed(&l->w, &op->reply);
		return;
	}
	work_succeeded(&l->w);
	ctr_inc(c, list_ok);
	hist_add(&c->hist[HIST_LIST], now_us() - l->page_us);
	l->w.retry = (struct retry){0};
	l->page_us = 0;
	if (op->reply.more && (l->w.msg.flags & IPC_F_PART) == 0) {
		list_next(l);
		return;
	}
	send_run(l);
	work_done(&l->w, 0, op->reply.more ? IPC_F_MORE : 0, 0, NULL);
}

void
listing_begin(struct uploader *up, const struct ipc_msg *m)
{
	struct listing *l = calloc(1, sizeof(*l));

	MUST(l != NULL);
	work_init(up, &l->w, m);
	l->w.ended = listing_ended;
	l->w.attempt = list_attempt;
	if (m->arg == 0) {
		work_done(&l->w, 0, 0, 0, NULL);
		return;
	}
	l->wait.run = list_next;
	l->wait.arg = l;
	l->op.kind = STORE_LIST;
	l->op.first = (uint32_t)m->block;
	l->op.last = (uint32_t)(m->block + m->arg - 1);
	l->op.on_block = on_block;
	l->op.want_etags = (m->flags & IPC_F_ETAG) != 0;
	l->op.done = list_done;
	l->op.arg = l;
	work_begin(&l->w, list_attempt);
}
