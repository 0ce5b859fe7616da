/* SPDX-License-Identifier: ISC */
#include "uploader/hedge.h"

#include <stdlib.h>

#include "common/blockmath.h"
#include "common/counters.h"
#include "common/inject.h"
#include "common/timeutil.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define SAMPLES_MIN  64
#define SAMPLES_MAX  1024		  /* then the old ones count half */
#define AFTER_MIN_US (10 * US_PER_MS)	  /* a store in the same machine has no tail worth it */
#define SHARE	     30			  /* permille of the GETs */
#define EARN_US	     200		  /* and one permille each: five a second */
#define SAVED_MAX    4000		  /* unused, but not for ever */
#define MEMORY_MAX   (UINT64_C(32) << 20) /* blocks in memory, per process */

/* ---- when --------------------------------------------------------------------------------- */
static unsigned
bucket_of(uint64_t us)
{
	unsigned octave = 63 - (unsigned)__builtin_clzll(us | 4);

	return ((unsigned)min_u64(
	    (octave - 2) * 4 + ((us | 4) >> (octave - 2) & 3), HEDGE_BUCKETS - 1));
}

/* The least time that belongs to the next bucket. */
static uint64_t
bucket_end(unsigned b)
{
	return ((uint64_t)(4 + (b + 1) % 4) << ((b + 1) / 4));
}

void
hedge_sample(struct hedge_stats *s, uint64_t us)
{
	s->bucket[bucket_of(us)]++;
	s->permille = (unsigned)min_u64(s->permille + SHARE, SAVED_MAX);
	if (++s->total < SAMPLES_MAX)
		return;
	s->total = 0;
	for (unsigned i = 0; i < HEDGE_BUCKETS; i++)
		s->total += s->bucket[i] /= 2;
}

uint64_t
hedge_after(const struct hedge_stats *s)
{
	uint32_t beyond = 0;
	unsigned b = HEDGE_BUCKETS - 1;

	if (s->total < SAMPLES_MIN)
		return (0);
	while (b > 0 && (beyond += s->bucket[b]) <= s->total / 100)
		b--;
	return (max_u64(bucket_end(b) * 3 / 2, AFTER_MIN_US));
}

bool
hedge_take(struct hedge_stats *s, uint64_t now)
{
	/* The last GETs of a reader have no others behind them that could earn a hedge for one that hangs. */
	uint64_t earned =
	    s->earned_us != 0 && now > s->earned_us ? (now - s->earned_us) / EARN_US : 0;

	s->permille = (unsigned)min_u64(s->permille + earned, SAVED_MAX);
	s->earned_us =
	    s->earned_us != 0 && now > s->earned_us ? s->earned_us + earned * EARN_US : now;
	if (s->permille < 1000)
		return (false);
	s->permille -= 1000;
	return (true);
}

/* ---- one ---------------------------------------------------------------------------------- */
static void
hedge_free(struct hedge *h)
{
	h->up->hedges.running--;
	free(h->mem);
	free(h);
}

static void
on_done(struct store_op *op)
{
	struct hedge *h = op->arg;

	if (h->done != NULL)
		h->done(h);
	else
		hedge_free(h);
}

struct hedge *
hedge_start(
    struct uploader *up, const struct store_op *like, void (*done)(struct hedge *), void *arg)
{
	struct hedge *h;

	if (up->store->backend->cancel == NULL ||
	    (uint64_t)(up->hedges.running + 1) * like->io.size > MEMORY_MAX ||
	    (h = calloc(1, sizeof(*h))) == NULL)
		return (NULL);
	if ((h->mem = malloc(like->io.size)) == NULL) {
		free(h);
		return (NULL);
	}
	h->up = up;
	h->done = done;
	h->arg = arg;
	h->op.kind = STORE_GET;
	h->op.block = like->block;
	h->op.off = like->off;
	h->op.len = like->len;
	h->op.io = like->io;
	h->op.io.mem = INJECT_FAIL("mutate.p1-two-in-a-slot") ? NULL : h->mem;
	h->op.done = on_done;
	h->op.arg = h;
	up->hedges.running++;
	ctr_inc(up->env->counters, get_hedged);
	store_submit(up->store, &h->op);
	return (h);
}

void
hedge_drop(struct hedge **hp)
{
	struct hedge *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	h->done = NULL;
	if (h->op.priv == NULL || store_cancel(h->up->store, &h->op))
		hedge_free(h);
}
