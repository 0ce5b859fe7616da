/* SPDX-License-Identifier: ISC */
/*
 * request.c -- pieces, the answers they wait for, and the one reply.
 *
 * A FUSE thread first tries every piece as a hit, without making a request object: most requests
 * end there.  Otherwise the object counts the pieces that are open, plus one while the thread is
 * still at work on it; whoever brings the count to zero finishes the request, and frees it.
 *
 * "Status 0" from cachemgr means "look again", not "it is there": the slot may be gone already, and
 * is then asked for again.
 */
#include "frontend/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/bell.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/role.h"
#include "common/timeutil.h"

#include "frontend/channel.h"
#include "frontend/hit.h"
#include "frontend/iobuf.h"
#include "frontend/reply.h"
#include "frontend/throttle.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

#define COPY_MOST  (64u << 10) /* a waiting write up to this is copied; above it keeps the buffer */
#define ASK_SPOKEN 1000	       /* a piece asked for this often is worth a line in the log */

struct piece {
	struct outmsg out; /* first: the channel hands it back */
	struct request *req;
	struct block_span span;
	char *data; /* where it goes or comes from; NULL: zeros, or straight from the cache */
	uint32_t asked;
};

struct request {
	struct volume *v;
	struct fuse_req *fuse;
	enum reply_kind kind;
	bool sync; /* flush before the reply */
	uint64_t len;
	char *data;	       /* read: the bytes to be; write: those of the user */
	struct iobuf *buf;     /* data lies in it; owned */
	char *mem;	       /* or in this; owned */
	uint64_t held_us;      /* throttled since */
	uint64_t began_us;     /* reply_began_us of the thread that made it */
	_Atomic uint32_t open; /* pieces not done; + 1 while being made */
	_Atomic int error;     /* 0 or -errno, the first one */
	uint32_t npieces, room;
	struct piece flush;
	struct piece piece[];
};

static uint64_t
admit(struct volume *v, enum reply_kind kind, uint64_t len, uint64_t *ret_now)
{
	uint64_t rate = atomic_load_explicit(&v->env->state->write_rate, memory_order_relaxed);

	if (rate == 0 || kind != REQ_WRITE)
		return (0);
	*ret_now = now_us();
	return (throttle_admit(v->throttle, rate, len, *ret_now));
}

/* ---- the object ------------------------------------------------------------------------ */
static struct request *
request_new(
    struct volume *v, struct fuse_req *fuse, enum reply_kind kind, uint64_t len, uint32_t room)
{
	struct request *q = calloc(1, sizeof(*q) + room * sizeof(q->piece[0]));

	if (q == NULL)
		return (NULL);
	q->v = v;
	q->fuse = fuse;
	q->kind = kind;
	q->len = len;
	q->room = room;
	q->open = 1;
	q->began_us = reply_began_us;
	return (q);
}

static void
request_free(struct request *q)
{
	iobuf_put(q->buf);
	free(q->mem);
	free(q);
}

static void
note_error(struct request *q, int error)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&q->error, &none, error);
}

static void
held_long_enough(void *arg)
{
	struct request *q = arg;

	ctr_add(q->v->env->counters, throttled_us, now_us() - q->held_us);
	reply_began_us = q->began_us;
	reply_done(q->v, q->fuse, q->kind, q->len);
	request_free(q);
}

/* Everything is done but the throttle. */
static void
acknowledge(struct request *q)
{
	struct volume *v = q->v; /* once held, q may be gone before we look again */
	uint64_t due = admit(v, q->kind, q->len, &q->held_us);
	int r = -1;

	if (due != 0)
		r = throttle_hold(v->throttle, due, held_long_enough, q);
	if (r > 0)
		ipc_bell_ring(v->env->bell, -1);
	if (r < 0) {
		reply_done(q->v, q->fuse, q->kind, q->len);
		request_free(q);
	}
}

static void ask(struct piece *, enum ipc_type);

/* The last piece is done. */
static void
request_finish(struct lane *l, struct request *q)
{
	int error = atomic_load(&q->error);

	reply_began_us = q->began_us;
	if (error < 0) {
		reply_error(q->v, q->fuse, error);
		request_free(q);
	} else if (q->kind == REQ_READ) {
		if (q->data == NULL)
			reply_lane(l, q->fuse, q->len); /* its only piece was a hit just now */
		else
			reply_data(q->v, q->fuse, q->data, q->len);
		request_free(q);
	} else if (q->kind != REQ_FLUSH && q->flush.asked == 0 &&
		   (q->sync || atomic_load(&q->v->env->state->write_through) != 0)) {
		q->open = 1;
		q->flush.req = q;
		ask(&q->flush, IPC_FLUSH);
	} else {
		acknowledge(q);
	}
}

/* One piece is done, or the maker is: the last one finishes. */
static void
request_release(struct lane *l, struct request *q)
{
	if (atomic_fetch_sub(&q->open, 1) == 1)
		request_finish(l, q);
}

/* ---- pieces ---------------------------------------------------------------------------- */
static void
ask(struct piece *p, enum ipc_type type)
{
	struct volume *v = p->req->v;

	if (++p->asked % ASK_SPOKEN == 0)
		log_warn("a block is gone each time it is looked at: type=%s block=%ju asked=%u",
		    ipc_type_name(type), (uintmax_t)p->span.block, p->asked);
	p->out.msg.type = (uint16_t)type;
	p->out.msg.block = p->span.block;
	p->out.msg.slot = IPC_NO_SLOT;
	if (type != IPC_TRIM && type != IPC_FLUSH) {
		p->out.msg.off = p->span.off;
		p->out.msg.len = p->span.len;
	}
	channel_ask(v->channel, &p->out);
}

static struct piece *
piece_add(struct request *q, const struct block_span *sp, char *data)
{
	struct piece *p = &q->piece[q->npieces++];

	MUST(q->npieces <= q->room);
	p->req = q;
	p->span = *sp;
	p->data = data;
	atomic_fetch_add(&q->open, 1);
	return (p);
}

/* Serve it, or say what to ask: IPC_NONE when it is done. */
static enum ipc_type
piece_try(struct lane *l, struct piece *p, bool granted)
{
	struct request *q = p->req;
	int r;

	if (l->v->shared && !granted)
		r = MISS; /* cachemgr/shared.c */
	else if (q->kind != REQ_READ)
		r = hit_write(l, &p->span, p->data, granted);
	else if (q->data != NULL)
		r = hit_copy(l, &p->span, p->data);
	else
		r = hit_read(l, &p->span);
	if (r == MISS)
		return (q->kind == REQ_READ ? IPC_READ : IPC_WRITE);
	if (r < 0)
		note_error(q, r);
	return (IPC_NONE);
}

void
request_answered(struct outmsg *out, int status, void *arg)
{
	struct piece *p = (struct piece *)out; /* its first member */
	struct request *q = p->req;
	struct lane *l = arg;
	enum ipc_type again = IPC_NONE;

	if (status < 0)
		note_error(q, status);
	else if (out->msg.type == IPC_READ || out->msg.type == IPC_WRITE)
		again = piece_try(l, p, true);
	if (again != IPC_NONE) {
		ctr_inc(q->v->env->counters, hit_lost);
		ask(p, again);
		return;
	}
	request_release(l, q);
}
_Static_assert(offsetof(struct piece, out) == 0, "the channel hands back the piece");

/* ---- read ------------------------------------------------------------------------------ */
/* All pieces into the lane; false: one is missing, or they do not fit. */
static bool
read_lane(struct lane *l, uint64_t off, uint64_t len)
{
	struct counters *c = l->v->env->counters;
	uint32_t bs = l->v->env->shm->geo.block_size;
	unsigned hits = 0, zeros = 0;
	struct block_span sp;

	while (span_next(&off, &len, bs, &sp)) {
		int r = hit_read(l, &sp);

		if (r != HIT && r != HIT_ZERO) {
			lane_release(l);
			return (false);
		}
		hits += r == HIT;
		zeros += r == HIT_ZERO;
	}
	if (hits > 0)
		ctr_add(c, read_hits, hits);
	if (zeros > 0)
		ctr_add(c, read_zero_hits, zeros);
	return (true);
}

/* Room for the bytes of several pieces.  A single one is answered straight from the cache. */
static bool
read_buffer(struct request *q, uint64_t len)
{
	if (len > COPY_MOST) {
		if ((q->buf = iobuf_get()) == NULL)
			return (false);
		q->data = q->buf->mem;
	} else if ((q->data = q->mem = malloc(len)) == NULL) {
		return (false);
	}
	return (true);
}

static void
read_pieces(struct lane *l, struct request *q, uint64_t off, uint64_t len)
{
	struct counters *c = l->v->env->counters;
	char *data = q->data;
	struct block_span sp;

	while (span_next(&off, &len, l->v->env->shm->geo.block_size, &sp)) {
		struct piece *p = piece_add(q, &sp, data);
		enum ipc_type type = piece_try(l, p, false);

		data += sp.len;
		if (type == IPC_NONE) {
			ctr_inc(c, read_hits);
			request_release(l, q);
		} else {
			ctr_inc(c, read_misses);
			ask(p, type);
		}
	}
}

void
request_read(struct lane *l, struct fuse_req *fuse, uint64_t off, uint64_t len)
{
	struct volume *v = l->v;
	struct counters *c = v->env->counters;
	uint32_t bs = v->env->shm->geo.block_size, n = (uint32_t)range_blocks_touched(off, len, bs);
	struct block_span sp;
	struct request *q;

	if (!v->shared && read_lane(l, off, len)) {
		reply_lane(l, fuse, len);
		return;
	}
	q = request_new(v, fuse, REQ_READ, len, n);
	if (q == NULL || (n > 1 && !read_buffer(q, len))) {
		if (q != NULL)
			request_free(q);
		reply_error(v, fuse, -ENOMEM);
		return;
	}
	if (n == 1) { /* a miss, or it would have fitted into the lane */
		(void)span_next(&off, &len, bs, &sp);
		ctr_inc(c, read_misses);
		/* Nothing is left to do here, and the one who finishes must be the one who hits. */
		atomic_store(&q->open, 0);
		ask(piece_add(q, &sp, NULL), IPC_READ);
		return;
	}
	read_pieces(l, q, off, len);
	request_release(l, q);
}

/* ---- write ----------------------------------------------------------------------------- */
/* The request outlives the call: its data must, too. */
static bool
keep_data(struct lane *l, struct request *q, const char *src, uint64_t len)
{
	if (len > COPY_MOST) {
		q->buf = l->buf; /* the thread gets another one */
		l->buf = NULL;
		q->data = (char *)(uintptr_t)src;
		return (true);
	}
	if ((q->data = q->mem = malloc(len)) == NULL)
		return (false);
	memcpy(q->data, src, len);
	return (true);
}

/*
 * The pieces from `off` on; the one there is known to be missing.  Each counts as a piece of the
 * request even if it turns out to be a hit.
 */
static void
write_pieces(struct lane *l, struct request *q, uint64_t off, uint64_t len, char *data)
{
	struct counters *c = l->v->env->counters;
	struct block_span sp;

	while (span_next(&off, &len, l->v->env->shm->geo.block_size, &sp)) {
		struct piece *p = piece_add(q, &sp, data);
		enum ipc_type type = piece_try(l, p, false);

		if (data != NULL)
			data += sp.len;
		if (type == IPC_NONE) {
			ctr_inc(c, write_hits);
			request_release(l, q);
		} else {
			ctr_inc(c, write_misses);
			ask(p, type);
		}
	}
}

void
request_write(
    struct lane *l, struct fuse_req *fuse, uint64_t off, uint64_t len, const char *src, bool sync)
{
	struct volume *v = l->v;
	uint32_t bs = v->env->shm->geo.block_size;
	uint64_t rest_off = off, rest = len, held_us = 0, due = 0;
	unsigned hits = 0;
	struct block_span sp;
	struct request *q;
	int r = HIT;

	sync |= atomic_load_explicit(&v->env->state->write_through, memory_order_relaxed) != 0;
	while (r == HIT && span_next(&rest_off, &rest, bs, &sp)) {
		r = v->shared ? MISS : hit_write(l, &sp, src + (len - rest - sp.len), false);
		hits += r == HIT;
	}
	if (hits > 0)
		ctr_add(v->env->counters, write_hits, hits);
	if (r < 0) {
		reply_error(v, fuse, r);
		return;
	}
	if (r == HIT && !sync && (due = admit(v, REQ_WRITE, len, &held_us)) == 0) {
		reply_done(v, fuse, REQ_WRITE, len);
		return;
	}
	if (r == MISS) { /* that piece was taken off the range: put it back */
		rest_off -= sp.len;
		rest += sp.len;
	}
	q = request_new(
	    v, fuse, REQ_WRITE, len, (uint32_t)range_blocks_touched(rest_off, rest, bs));
	if (q == NULL || (rest > 0 && !keep_data(l, q, src + (len - rest), rest))) {
		if (q != NULL)
			request_free(q);
		reply_error(v, fuse, -ENOMEM);
		return;
	}
	q->sync = sync;
	if (due != 0) { /* done, and already on the clock */
		q->held_us = held_us;
		r = throttle_hold(v->throttle, due, held_long_enough, q);
		if (r > 0)
			ipc_bell_ring(v->env->bell, -1);
		if (r < 0)
			held_long_enough(q);
		return;
	}
	write_pieces(l, q, rest_off, rest, q->data);
	request_release(l, q);
}

/* ---- trim, flush ----------------------------------------------------------------------- */
void
request_trim(struct lane *l, struct fuse_req *fuse, uint64_t off, uint64_t len, bool sync)
{
	struct volume *v = l->v;
	uint32_t bs = v->env->shm->geo.block_size;
	uint64_t first, whole = range_blocks_whole(off, len, bs, &first), end = off + len;
	struct request *q;

	/* The last block of the disk may be short: then its end is the end of the range, too. */
	if (end == v->size && (end & (bs - 1)) != 0 && (whole > 0 || (off & (bs - 1)) == 0)) {
		first = whole > 0 ? first : off / bs;
		whole++;
		end = (first + whole) * bs;
	}
	q = request_new(v, fuse, REQ_TRIM, len, 3);
	if (q == NULL) {
		reply_error(v, fuse, -ENOMEM);
		return;
	}
	q->sync = sync;
	if (whole == 0) {
		write_pieces(l, q, off, len, NULL);
	} else {
		struct block_span sp = {.block = first};
		struct piece *p = piece_add(q, &sp, NULL);

		p->out.msg.arg = whole;
		write_pieces(l, q, off, first * bs - off, NULL);
		write_pieces(l, q, (first + whole) * bs, end - (first + whole) * bs, NULL);
		ask(p, IPC_TRIM);
	}
	request_release(l, q);
}

void
request_flush(struct lane *l, struct fuse_req *fuse)
{
	struct request *q = request_new(l->v, fuse, REQ_FLUSH, 0, 1);
	struct block_span sp = {0};

	if (q == NULL) {
		reply_error(l->v, fuse, -ENOMEM);
		return;
	}
	ask(piece_add(q, &sp, NULL), IPC_FLUSH);
	request_release(l, q);
}
