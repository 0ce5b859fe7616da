/* SPDX-License-Identifier: ISC */
/*
 * readahead.c -- fetching what a sequential reader will want next.
 *
 * A few streams are followed at once.  Two neighbouring misses make one; its window starts small
 * and grows eightfold each time the reader has to wait for a block that is already on its way, which
 * is the sign that the window does not cover the bandwidth-delay product yet.  Each wait costs a round
 * trip: two of them from 4 blocks to 120.  It halves when a block it fetched is evicted unread.
 *
 * A reader that has gone through FIRM_BYTES is one that goes on, and need not wait twice more: how long a
 * GET takes is known by then, and the window becomes what a line of LINE bytes/us would carry in that time.
 * Whether the way is long or the line slow, one GET does not tell.  So it is no more than what arrives in
 * PATIENCE_US even if that GET had the whole line: a file of a few blocks shares a slow line with all of it.
 *
 * A window beyond the bandwidth-delay product only makes a queue, in which everybody else's reads wait as
 * well: GETs take longer, and no more arrive.  So it does not grow while they take more than three times as
 * long as the fastest, and halves at six times.
 *
 * Fetched blocks carry a mark; the frontend's first hit on one sends AHEAD, which moves the window on, so a
 * reader that is served from the cache keeps its stream running.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/conf.h"
#include "cachemgr/cm.h"

#define STREAMS		 16
#define WINDOW_MAX_BYTES (256u << 20)
#define GROWTH		 8
#define CALM		 3 /* times the fastest GET */
#define CROWDED		 6
#define SHORT_US	 50000 /* no queue worth the name */
#define FIRM_BYTES	 (1u << 20)
#define LINE		 640 /* bytes/us: 5 Gbit/s */
#define OPEN_MAX_BYTES	 (64u << 20)
#define PATIENCE_US	 2000000

struct stream {
	uint32_t next;	 /* block the reader is expected at */
	uint32_t ahead;	 /* first block not asked for yet */
	uint32_t window; /* blocks */
	uint32_t run;	 /* neighbouring blocks read so far */
	bool firm;	 /* the first step has been taken */
	uint64_t used_us;
};

struct readahead {
	struct stream stream[STREAMS];
	uint32_t window0, window_max, trigger;
	uint64_t fastest_us, mean_us; /* GETs of whole blocks; 0: none so far */
	uint64_t trip_us;	      /* the fastest GET, also of a part; 0: none so far */
};

static void
limit_window(struct cachemgr *cm)
{
	struct readahead *ra = cm->ra;
	uint32_t max = WINDOW_MAX_BYTES >> cm->shm->block_shift;

	if (max > cm->max_transfers - cm->reserved)
		max = cm->max_transfers - cm->reserved;
	if (max > cm->shm->geo.nslots / 4)
		max = cm->shm->geo.nslots / 4;
	ra->window_max = max > ra->window0 ? max : ra->window0;
}

int
readahead_open(struct cachemgr *cm)
{
	struct readahead *ra = calloc(1, sizeof(*ra));

	if (ra == NULL)
		return (-ENOMEM);
	ra->window0 = cm->env->conf->read_ahead;
	ra->trigger = cm->env->conf->read_ahead_trigger;
	cm->ra = ra;
	limit_window(cm);
	return (0);
}

void
readahead_set(struct cachemgr *cm, uint32_t window, uint32_t trigger)
{
	struct readahead *ra = cm->ra;

	if (window != UINT32_MAX)
		ra->window0 = window;
	if (trigger != 0)
		ra->trigger = trigger;
	limit_window(cm);
	/* Streams begin anew: those of now have windows of their own. */
	for (unsigned i = 0; i < STREAMS; i++)
		ra->stream[i].used_us = 0;
}

/* The stream a block belongs to: where it is expected, or within what was fetched for it. */
static struct stream *
stream_of(struct readahead *ra, uint32_t block)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *s = &ra->stream[i];

		if (s->used_us != 0 && (block == s->next || block + 1 == s->next ||
					   (block > s->next && block < s->ahead)))
			return (s);
	}
	return (NULL);
}

static struct stream *
stream_new(struct cachemgr *cm, uint32_t block)
{
	struct readahead *ra = cm->ra;
	struct stream *s = &ra->stream[0];

	for (unsigned i = 1; i < STREAMS; i++)
		if (ra->stream[i].used_us < s->used_us)
			s = &ra->stream[i];
	*s =
	    (struct stream){.next = block + 1, .ahead = block + 1, .window = ra->window0, .run = 1};
	return (s);
}

/* False: no transfer or no slot for it now; the stream stops here until the next event. */
static bool
issue(struct cachemgr *cm, uint32_t block)
{
	struct bop *b;
	bool sure;

	if (slot_table_find(&cm->tab, block, &sure) != IPC_NO_SLOT || bop_find(cm, block) != NULL ||
	    zero_reads_zero(zero_get(&cm->tab, block)))
		return (true);
	if (!sched_has_room(cm, XFER_PUT) || !TAILQ_EMPTY(&cm->room_wait))
		return (false);
	if (page_tells(cm, block)) /* it may be here already */
		return (false);
	b = bop_get(cm, block);
	if (b == NULL)
		return (false);
	b->fetch_ahead = 1;
	fetch_try(cm, b);
	if (b->fetch != FETCH_INFLIGHT) {
		b->fetch_ahead = 0;
		bop_kick(cm, b);
		return (false);
	}
	ctr_inc(cm->ctr, readahead_issued);
	return (true);
}

static void
stream_run(struct cachemgr *cm, struct stream *s)
{
	uint64_t end = (uint64_t)s->next + s->window;

	if (end > cm->shm->geo.nblocks)
		end = cm->shm->geo.nblocks;
	if (s->ahead < s->next)
		s->ahead = s->next;
	while (s->ahead < end && issue(cm, s->ahead))
		s->ahead++;
}

/* The first step, once. */
static void
open_window(struct cachemgr *cm, struct stream *s)
{
	struct readahead *ra = cm->ra;
	uint64_t bytes = ra->trip_us * LINE, window;

	if (s->firm || ra->fastest_us == 0 ||
	    ((uint64_t)s->run << cm->shm->block_shift) <= FIRM_BYTES)
		return;
	s->firm = true;
	window = (bytes < OPEN_MAX_BYTES ? bytes : OPEN_MAX_BYTES) >> cm->shm->block_shift;
	if (window > PATIENCE_US / ra->fastest_us)
		window = PATIENCE_US / ra->fastest_us;
	if (window > ra->window_max)
		window = ra->window_max;
	if (window > s->window)
		s->window = (uint32_t)window;
}

static void
stream_moves(struct cachemgr *cm, struct stream *s, uint32_t block)
{
	s->used_us = cm->now_us;
	if (block >= s->next) {
		s->run += block + 1 - s->next;
		s->next = block + 1;
	}
	if (s->run < cm->ra->trigger)
		return;
	open_window(cm, s);
	stream_run(cm, s);
}

bool
readahead_expects(struct cachemgr *cm, uint32_t block)
{
	const struct readahead *ra = cm->ra;

	for (unsigned i = 0; i < STREAMS; i++)
		if (ra->stream[i].used_us != 0 && ra->stream[i].next == block)
			return (true);
	return (false);
}

/* A value that is forgotten slowly: the way to the store may have become longer. */
static void
note_fastest(uint64_t *fastest_us, uint64_t us)
{
	bool first = *fastest_us == 0;

	*fastest_us += *fastest_us / 512 + 1;
	if (us < *fastest_us || first)
		*fastest_us = us;
}

void
readahead_took(struct cachemgr *cm, uint64_t us, bool whole)
{
	struct readahead *ra = cm->ra;

	note_fastest(&ra->trip_us, us);
	if (!whole)
		return;
	note_fastest(&ra->fastest_us, us);
	ra->mean_us = ra->mean_us == 0 ? us : (ra->mean_us * 7 + us) / 8;
}

/* The reader waits for a block that is on its way. */
static void
adapt_window(const struct readahead *ra, struct stream *s)
{
	bool queued = ra->mean_us > SHORT_US;

	if (queued && ra->mean_us > ra->fastest_us * CROWDED)
		s->window = s->window / 2 > ra->window0 ? s->window / 2 : ra->window0;
	else if (!queued || ra->mean_us <= ra->fastest_us * CALM)
		s->window =
		    s->window < ra->window_max / GROWTH ? s->window * GROWTH : ra->window_max;
}

void
readahead_miss(struct cachemgr *cm, uint32_t block, bool in_flight)
{
	struct readahead *ra = cm->ra;
	struct stream *s;

	if (ra->window0 == 0)
		return;
	s = stream_of(ra, block);
	if (s == NULL) {
		s = stream_new(cm, block);
		s->used_us = cm->now_us;
		return;
	}
	if (in_flight)
		adapt_window(ra, s);
	else if (block >= s->next && block < s->ahead)
		s->ahead =
		    block; /* it came and was evicted, and those behind it may have been, too */
	stream_moves(cm, s, block);
}

void
readahead_hit(struct cachemgr *cm, uint32_t block)
{
	struct stream *s = stream_of(cm->ra, block);

	ctr_inc(cm->ctr, readahead_used);
	if (s != NULL)
		stream_moves(cm, s, block);
}

void
readahead_wasted(struct cachemgr *cm, uint32_t block)
{
	struct stream *s = stream_of(cm->ra, block);

	ctr_inc(cm->ctr, readahead_wasted);
	if (s != NULL && s->window > cm->ra->window0)
		s->window /= 2;
}
