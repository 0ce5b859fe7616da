/* SPDX-License-Identifier: ISC */
/*
 * transfer.c -- GET, PUT and CHECK of one block.
 *
 *	GET:  attempt --> done
 *	PUT:  summing --> zero?  --> delete ------------------------> [settle] --> done
 *	          \-----> attempt --> (outcome of an earlier try unknown?) --> settle --> prove --> done
 *	                     ^                                                              |
 *	                     +---------------------- what is there is not ours --------------+
 *
 * A PUT that was cut off after its last byte may be applied after its retry, and then after whatever
 * the next PUT of that block wrote.  cachemgr sends no other PUT of a block before the DONE of this
 * one; so DONE waits until the cut-off attempt has had one more `timeout` to land, and then until the
 * store shows the ETag that our last attempt was given.  README.md says what that guarantees.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/check.h"
#include "common/conf.h"
#include "common/counters.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/payload.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define HEDGE_LOOK_US (100 * US_PER_MS) /* when to see again whether a GET takes too long */
#define LEARN_LOOK_US                                                                              \
	(20 * US_PER_MS)  /* the same, while too few GETs are known: that is soon over */
#define HEDGES_MAX	3 /* of one attempt */
#define MISSING_US	(30 * US_PER_S)
#define BAD_CHECKS_MAX	3 /* cachemgr looks again itself */
#define BAD_REPLIES_MAX 6 /* an object with the wrong length or bytes each time has them */

struct transfer {
	struct work w; /* first */
	struct store_op op;
	struct payload payload;
	unsigned bad_replies;
	uint64_t sent_us; /* GET: this attempt */
	struct timer slow;
	struct hedge *hedge;
	unsigned nhedges; /* so far, of this attempt */
	char put_etag[80];
	uint8_t *mem; /* CHECK */
};

static void
transfer_ended(struct work *w)
{
	struct transfer *t = (struct transfer *)w;

	if (w->msg.type == IPC_PUT)
		priority_puts(w->up, -1);
	loop_timer_clear(&w->up->loop, &t->slow);
	hedge_drop(&t->hedge);
	payload_free(&t->payload);
	free(t->mem);
	free(t);
}

/* ---- GET ---------------------------------------------------------------------------------- */
static void
get_attempt(struct work *w)
{
	struct transfer *t = (struct transfer *)w;
	uint64_t after = hedge_after(&w->up->hedges);

	t->sent_us = now_us();
	t->nhedges = 0;
	if (w->msg.type != IPC_CHECK)
		loop_timer_set(
		    &w->up->loop, &t->slow, t->sent_us + (after != 0 ? after : LEARN_LOOK_US));
	store_submit(w->up->store, &t->op);
}

/*
 * No object where there must be one: zeros would be wrong data.  A store that is late heals; what was
 * deleted behind our back does not, so that even without maxRetryPause there is an end.
 */
static void
missing(struct transfer *t, struct store_reply *r)
{
	struct uploader *up = t->w.up;
	uint64_t limit = up->get_policy.give_up_us != 0 ? up->get_policy.give_up_us : MISSING_US;

	ctr_inc(up->env->counters, bad_replies);
	r->object_bad = true;
	r->fail = now_us() - t->w.begun_us < limit ? FAIL_BAD_REPLY : FAIL_DATA;
	(void)snprintf(r->why, sizeof(r->why),
	    "object of block %u is not there, and the bucket had it (deleted by somebody? after a "
	    "new start it reads as zeros)",
	    t->op.block);
}

static void get_done(struct store_op *);

/* The store has answered, and the object is not what it should be. */
static void
check_bad(struct transfer *t)
{
	const struct store_reply *r = &t->op.reply;

	if (r->fail == FAIL_DATA)
		log_warn("scrub: %s", r->why);
	work_succeeded(&t->w);
	work_done(&t->w, r->fail == FAIL_ABSENT ? -ENOENT : -EBADMSG, 0, 0, NULL);
}

/* The second answer: if it is good, it is taken and the first is cut. */
static void
hedge_done(struct hedge *h)
{
	struct transfer *t = h->arg;
	struct store_op *op = &t->op;
	int error;

	if (h->op.reply.fail == FAIL_NONE && store_cancel(t->w.up->store, op)) {
		/* Only now: until here the slot was the first one's.  Which may have been widened since. */
		op->off = h->op.off;
		op->len = h->op.len;
		error = slot_io_write(&op->io, op->off, h->mem + op->off, op->len);
		op->reply = h->op.reply;
		if (error < 0) {
			op->reply.fail = FAIL_TRANSIENT;
			op->reply.error = error;
		}
		get_done(op);
		return;
	}
	hedge_drop(&t->hedge);
	loop_timer_set(&t->w.up->loop, &t->slow, now_us() + HEDGE_LOOK_US);
}

/*
 * What speaks against a second GET now, may not for long: one that hangs, hangs for seconds.  The second
 * may hang as well; then it is cut and another takes its place, after twice the time of the last one, so
 * that on a line that became slow for all there are few of them.
 */
static void
on_slow(void *arg)
{
	struct transfer *t = arg;
	struct uploader *up = t->w.up;
	uint64_t after = hedge_after(&up->hedges), now = now_us();
	uint64_t next = now + (after != 0 ? HEDGE_LOOK_US : LEARN_LOOK_US);

	if (up->leaving || t->nhedges >= HEDGES_MAX)
		return;
	if (after != 0 && now >= t->sent_us + after && !up->way[POOL_READS].failing &&
	    hedge_take(&up->hedges, now)) {
		hedge_drop(&t->hedge);
		t->hedge = hedge_start(up, &t->op, hedge_done, t);
		if (t->hedge != NULL)
			next = now + (after << ++t->nhedges);
	}
	loop_timer_set(&up->loop, &t->slow, max_u64(t->sent_us + after, next));
}

static void
get_done(struct store_op *op)
{
	struct transfer *t = op->arg;
	struct uploader *up = t->w.up;
	struct counters *c = up->env->counters;
	struct store_reply *r = &op->reply;
	bool whole = op->off == 0 && op->len == up->env->shm->geo.block_size;

	loop_timer_clear(&up->loop, &t->slow);
	hedge_drop(&t->hedge);
	if (r->fail == FAIL_BAD_REPLY && r->object_bad &&
	    ++t->bad_replies >= (t->w.msg.type == IPC_CHECK ? BAD_CHECKS_MAX : BAD_REPLIES_MAX))
		r->fail = FAIL_DATA;
	if (t->w.msg.type == IPC_CHECK && (r->fail == FAIL_DATA || r->fail == FAIL_ABSENT)) {
		check_bad(t);
		return;
	}
	if (r->fail == FAIL_ABSENT && (t->w.msg.flags & IPC_F_PRESENT) != 0 &&
	    !INJECT_FAIL("mutate.p1-missing-is-zero"))
		missing(t, r);
	if (r->fail != FAIL_NONE && r->fail != FAIL_ABSENT) {
		work_failed(&t->w, r);
		return;
	}
	hedge_sample(&up->hedges, now_us() - t->sent_us);
	work_succeeded(&t->w);
	ctr_inc(c, get_ok);
	ctr_add(c, get_us, now_us() - t->w.begun_us);
	hist_add(&c->hist[HIST_GET], now_us() - t->w.begun_us);
	if (r->fail == FAIL_ABSENT) {
		work_done(&t->w, 0, IPC_F_ZERO, 0, NULL);
		return;
	}
	ctr_add(c, get_bytes, r->bytes);
	t->w.msg.off = op->off;
	t->w.msg.len = op->len;
	work_done(&t->w, 0, whole ? IPC_F_HASCRC : 0, whole ? r->crc : 0, r->etag);
}

/* ---- PUT ---------------------------------------------------------------------------------- */
static void put_attempt(struct work *);

static void
put_finish(struct work *w)
{
	struct transfer *t = (struct transfer *)w;
	struct counters *c = w->up->env->counters;

	if (t->payload.zero) {
		work_done(w, 0, IPC_F_ZERO, 0, NULL);
		return;
	}
	ctr_inc(c, put_ok);
	ctr_add(c, put_bytes, t->payload.len);
	ctr_add(c, put_us, now_us() - w->begun_us);
	hist_add(&c->hist[HIST_PUT], now_us() - w->begun_us);
	work_done(w, 0, IPC_F_HASCRC, t->payload.crc, t->put_etag);
}

static bool
verifies(const struct work *w)
{
	return ((w->msg.flags & IPC_F_VERIFY) != 0 && !INJECT_FAIL("mutate.p2-trust-the-dead"));
}

static void
prove_done(struct store_op *op)
{
	struct transfer *t = op->arg;
	struct work *w = &t->w;
	struct store_reply *r = &op->reply;

	if (t->payload.zero ? r->fail == FAIL_ABSENT
			    : r->fail == FAIL_NONE && strcmp(r->etag, t->put_etag) == 0) {
		put_finish(w);
	} else if (r->fail == FAIL_NONE || r->fail == FAIL_ABSENT) {
		/* With a pause: a store that will never show it would be asked without end. */
		ctr_inc(w->up->env->counters, bad_replies);
		(void)snprintf(r->why, sizeof(r->why),
		    "the object is not what was uploaded: etag=%s ours=%s", r->etag, t->put_etag);
		r->fail = FAIL_BAD_REPLY;
		r->object_bad = true;
		w->attempt = put_attempt;
		work_failed(w, r);
	} else {
		work_failed(w, r);
	}
}

static void
prove(struct work *w)
{
	struct transfer *t = (struct transfer *)w;

	/* Of a block of zeros no attempt of ours can leave an object behind, but a predecessor's can. */
	if (t->payload.zero ? !verifies(w) : t->put_etag[0] == '\0') {
		/* A store without ETags has nothing to compare; time has passed, that is all. */
		put_finish(w);
		return;
	}
	t->op.kind = STORE_STAT;
	t->op.done = prove_done;
	w->attempt = prove;
	store_submit(w->up->store, &t->op);
}

static void
put_done(struct store_op *op)
{
	struct transfer *t = op->arg;
	struct work *w = &t->w;
	struct store_reply *r = &op->reply;
	bool deleted = op->kind == STORE_DELETE && r->fail == FAIL_ABSENT;

	if (r->fail != FAIL_NONE && !deleted) {
		work_failed(w, r);
		return;
	}
	work_succeeded(w);
	if (op->kind == STORE_DELETE) {
		ctr_inc(w->up->env->counters, delete_ok);
		ctr_inc(w->up->env->counters, delete_keys);
		hist_add(&w->up->env->counters->hist[HIST_DELETE], now_us() - w->begun_us);
	}
	memcpy(t->put_etag, r->etag, sizeof(t->put_etag));
	if ((!w->unknown && !r->unknown) || INJECT_FAIL("mutate.p2-last-answer-wins"))
		put_finish(w);
	else if (!work_settle(w, prove))
		prove(w);
}

static void
put_attempt(struct work *w)
{
	struct transfer *t = (struct transfer *)w;

	w->attempt = put_attempt;
	if (work_fenced(w))
		return;
	t->op.kind = t->payload.zero ? STORE_DELETE : STORE_PUT;
	t->op.done = put_done;
	store_submit(w->up->store, &t->op);
}

static void
put_summed(struct payload *p)
{
	struct transfer *t = p->arg;
	struct work *w = &t->w;

	if (p->error < 0) {
		log_err(p->error, "cannot read the cache: slot=%u block=%u", w->msg.slot, p->block);
		work_done(w, p->error, 0, 0, NULL);
	} else if (p->zero && (w->msg.flags & IPC_F_ABSENT) != 0 && !verifies(w)) {
		work_done(w, 0, IPC_F_ZERO, 0, NULL);
	} else {
		work_begin(w, put_attempt);
	}
}

/* Into memory, where it can be looked at whole, and away. */
static void
check_begin(struct transfer *t)
{
	uint32_t size = t->w.up->env->shm->geo.block_size;

	if ((t->mem = malloc(size)) == NULL) {
		work_done(&t->w, -ENOMEM, 0, 0, NULL);
		return;
	}
	t->op.kind = STORE_GET;
	t->op.len = size;
	t->op.io = (struct slot_io){.fd = 0, .mem = t->mem, .size = size};
	t->op.verify = true;
	t->op.background = true;
	t->op.done = get_done;
	work_begin(&t->w, get_attempt);
}

void
transfer_begin(struct uploader *up, const struct ipc_msg *m)
{
	struct transfer *t = calloc(1, sizeof(*t));

	MUST(t != NULL);
	work_init(up, &t->w, m);
	t->w.ended = transfer_ended;
	t->op.arg = t;
	t->op.block = (uint32_t)m->block;
	if (m->type == IPC_CHECK) {
		check_begin(t);
		return;
	}
	slot_io_init(&t->op.io, up->env->shm, &up->cache, m->slot);
	if (m->type == IPC_GET) {
		t->op.kind = STORE_GET;
		t->op.background = (m->flags & IPC_F_READAHEAD) != 0;
		t->op.off = m->off;
		t->op.len = m->len;
		t->op.widen = (m->flags & IPC_F_PART) != 0;
		if (t->op.widen && !up->store->parts) {
			t->op.off = 0;
			t->op.len = up->env->shm->geo.block_size;
		}
		t->op.done = get_done;
		t->slow.run = on_slow;
		t->slow.arg = t;
		work_begin(&t->w, get_attempt);
		return;
	}
	priority_puts(up, 1);
	if ((m->flags & IPC_F_ZBASE) != 0)
		slot_io_sparse(&t->op.io, &up->slots, m->slot);
	t->payload.io = t->op.io;
	t->payload.block = t->op.block;
	t->payload.codec = up->codec;
	t->payload.want = payload_hashes(up->env->conf) | (up->store->learn_md5 ? PAYLOAD_MD5 : 0);
	t->payload.ready = put_summed;
	t->payload.arg = t;
	t->op.payload = &t->payload;
	if (verifies(&t->w)) {
		t->w.unknown = true;
		t->w.land_us = now_us() + min_u64(up->settle_us, IPC_LANDING_US);
	}
	t->w.attempt = put_attempt;
	payload_make(up->jobs, &t->payload);
}
