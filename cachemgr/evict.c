/* SPDX-License-Identifier: ISC */
/*
 * evict.c -- which clean slot to give up: S3-FIFO (Yang et al., SOSP 2023, "FIFO queues are all you
 * need for cache eviction").
 *
 * New blocks enter a small queue, a tenth of the cache; those that nobody touched again by the time
 * they reach its end leave, so one big scan passes through without hurting.  Touched ones go to
 * `main`, where a block leaves when its touches are used up.  `ghost` remembers which blocks left the
 * small queue lately: one that comes back goes to `main` at once.
 *
 * Our blocks are much larger than the requests that read them: one pass over a block touches it many
 * times within milliseconds, which says nothing about the future.  So the frontend counts what lies a
 * fraction of a second apart (`when` of the slot), and the small queue has two parts, `young` and
 * `aged`.  A block that was touched at two such times while it was young goes to `main`; for any other
 * touches count from the moment it moves from one part to the other.
 *
 * What was fetched ahead of a reader has not had its chance when it reaches the end of the small queue: a full
 * cache has less room there than a window is large, and blocks arrive in another order than they are read
 * in.  It waits for its reader in `unread`, up to a quarter of the cache, and is new again when he has come.
 *
 * Only clean linked slots are queued: a slot that becomes dirty is taken out, so a cache full of
 * dirty blocks never makes this search.  While writers have most of the cache, the small queue has a
 * tenth of the rest, or all that is read often would have to leave for them.  Links and counters live in
 * the slot's own line.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/conf.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"

enum {
	Q_NONE,
	Q_YOUNG,
	Q_AGED,
	Q_MAIN,
	Q_UNREAD,
	Q_KEPT, /* the first blocks of the disk: blockCacheNumProtected */
	NQUEUES
};
#define NIL	    UINT32_MAX
#define FREQ_MAX    3
#define HELD_MAX    16 /* slots one search may send through a commit */
#define SMALL_LEAST 64 /* of the small queue, for a window of read-ahead */
#define UNREAD_PART 4  /* of all slots: as much as a window can have */
#define OFTEN	    2  /* touches while young that are not one pass */

struct queue {
	uint32_t head, tail, n; /* pushed at head, leave at tail */
};

struct evict {
	struct queue q[NQUEUES];
	uint32_t *ghost; /* block + 1, direct-mapped: a collision forgets the older */
	uint32_t ghost_mask;
	uint32_t young_least, small_least;
	uint32_t protected; /* blocks below go last */
};

int
evict_open(struct cachemgr *cm)
{
	struct evict *e = calloc(1, sizeof(*e));
	uint32_t n = 1;

	if (e == NULL)
		return (-ENOMEM);
	cm->room_slot = IPC_NO_SLOT;
	while (n < cm->shm->geo.nslots)
		n <<= 1;
	e->ghost = calloc(n, sizeof(uint32_t));
	if (e->ghost == NULL) {
		free(e);
		return (-ENOMEM);
	}
	e->ghost_mask = n - 1;
	e->small_least = cm->shm->geo.nslots / 10 + 1;
	if (e->small_least > SMALL_LEAST)
		e->small_least = SMALL_LEAST;
	/* Room for what one large request and its read-ahead bring in together. */
	e->young_least = cm->shm->geo.nslots / 8 < 32 ? cm->shm->geo.nslots / 8 : 32;
	e->protected = cm->env->conf->cache_num_protected;
	for (unsigned i = 0; i < NQUEUES; i++)
		e->q[i].head = e->q[i].tail = NIL;
	cm->evict = e;
	return (0);
}

static uint32_t *
ghost_of(struct evict *e, uint32_t block)
{
	return (
	    &e->ghost[(uint32_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> 33) & e->ghost_mask]);
}

static void
push(struct cachemgr *cm, uint8_t which, uint32_t slot)
{
	struct queue *q = &cm->evict->q[which];
	struct ipc_slot *s = cm_slot(cm, slot);

	s->queue = which;
	s->qnext = q->head;
	s->qprev = NIL;
	if (q->head != NIL)
		cm_slot(cm, q->head)->qprev = slot;
	else
		q->tail = slot;
	q->head = slot;
	q->n++;
}

void
evict_remove(struct cachemgr *cm, uint32_t slot)
{
	struct ipc_slot *s = cm_slot(cm, slot);
	struct queue *q = &cm->evict->q[s->queue];

	if (s->queue == Q_NONE)
		return;
	if (s->qprev != NIL)
		cm_slot(cm, s->qprev)->qnext = s->qnext;
	else
		q->head = s->qnext;
	if (s->qnext != NIL)
		cm_slot(cm, s->qnext)->qprev = s->qprev;
	else
		q->tail = s->qprev;
	q->n--;
	s->queue = Q_NONE;
}

static uint32_t
queued(const struct evict *e)
{
	return (
	    e->q[Q_YOUNG].n + e->q[Q_AGED].n + e->q[Q_MAIN].n + e->q[Q_UNREAD].n + e->q[Q_KEPT].n);
}

static uint32_t
small_max(const struct evict *e)
{
	uint32_t n = queued(e) / 10 + 1;

	return (n > e->small_least ? n : e->small_least);
}

/* Touches not yet used up; the frontend stops counting at FREQ_MAX. */
static uint8_t
freq(const struct ipc_slot *s)
{
	return ((uint8_t)(atomic_load_explicit(&s->touch, memory_order_relaxed) -
			  atomic_load_explicit(&s->seen, memory_order_relaxed)));
}

/* To another queue, where touches count anew. */
static void
move(struct cachemgr *cm, uint32_t slot, uint8_t to)
{
	struct ipc_slot *s = cm_slot(cm, slot);

	evict_remove(cm, slot);
	atomic_store_explicit(&s->seen, atomic_load(&s->touch), memory_order_relaxed);
	push(cm, to, slot);
}

static void
age(struct cachemgr *cm)
{
	struct evict *e = cm->evict;
	uint32_t most = small_max(e) / 4;

	if (most < e->young_least)
		most = e->young_least;
	while (e->q[Q_YOUNG].n > most) {
		uint32_t slot = e->q[Q_YOUNG].tail;

		move(cm, slot, freq(cm_slot(cm, slot)) >= OFTEN ? Q_MAIN : Q_AGED);
	}
}

void
evict_insert(struct cachemgr *cm, uint32_t slot)
{
	uint32_t block = head_block(cm_head(cm, slot));
	uint32_t *ghost = ghost_of(cm->evict, block);

	if (block < cm->evict->protected) {
		move(cm, slot, Q_KEPT);
	} else if (*ghost == block + 1) {
		*ghost = 0;
		move(cm, slot, Q_MAIN);
	} else {
		move(cm, slot, Q_YOUNG);
	}
	age(cm);
}

void
evict_read(struct cachemgr *cm, uint32_t slot)
{
	if (cm_slot(cm, slot)->queue != Q_UNREAD)
		return;
	move(cm, slot, Q_YOUNG);
	age(cm);
}

void
evict_turn(struct cachemgr *cm)
{
	uint32_t slot = cm->room_slot;

	if (slot == IPC_NO_SLOT || hazard_named(&cm->tab, slot, false))
		return;
	cm->room_slot = IPC_NO_SLOT;
	cm->room_made = true;
	/* In another state somebody else wants to be rung. */
	if (head_state(cm_head(cm, slot)) == SLOT_LIVE)
		slot_set_flags(cm, slot, 0, SLOT_F_WANT);
}

/*
 * Whoever waits for room because slots are named looks again when one is not any more.  One slot is
 * watched: each hit of it rings us until then.
 */
static void
watch(struct cachemgr *cm, uint32_t slot)
{
	if (cm->room_slot != IPC_NO_SLOT || head_state(cm_head(cm, slot)) != SLOT_LIVE)
		return;
	cm->room_slot = slot;
	slot_set_flags(cm, slot, SLOT_F_WANT, 0);
	evict_turn(cm); /* it may have been cleared before it could ring */
}

/*
 * Unlink a candidate.  The head changes first; if then a line names it, or the frontend has made
 * it dirty meanwhile, it is linked again and somebody else goes.  `owner`: who may be at work on its
 * block, NULL: nobody.
 */
static bool
take(struct cachemgr *cm, uint32_t slot, const struct bop *owner)
{
	struct ipc_slot *s = cm_slot(cm, slot);
	uint64_t h = cm_head(cm, slot);
	uint32_t block = head_block(h);
	bool named;

	slot_unlink(cm, slot);
	named = hazard_named(&cm->tab, slot, false);
	if (!named && !slot_dirty(s) && bop_find(cm, block) == owner)
		return (true);
	slot_link(cm, slot, block, head_flags(h), head_state(h));
	if (named)
		watch(cm, slot);
	if (!slot_dirty(s))
		push(cm, block < cm->evict->protected ? Q_KEPT : Q_MAIN, slot);
	return (false);
}

/* The queue whose turn it is; it may be empty if all are. */
static uint8_t
choose(const struct evict *e)
{
	uint32_t small = e->q[Q_YOUNG].n + e->q[Q_AGED].n;

	if (e->q[Q_UNREAD].n > queued(e) / UNREAD_PART)
		return (Q_UNREAD);
	if (small > 0 && (small > small_max(e) || e->q[Q_MAIN].n == 0))
		return (e->q[Q_AGED].n > 0 ? Q_AGED : Q_YOUNG);
	if (e->q[Q_MAIN].n > 0)
		return (Q_MAIN);
	return (e->q[Q_UNREAD].n > 0 ? Q_UNREAD : Q_KEPT);
}

uint32_t
evict_one(struct cachemgr *cm)
{
	struct evict *e = cm->evict;
	/* Every slot may be passed over FREQ_MAX times, and wait once to be read; more would be a bug. */
	uint64_t tries = (uint64_t)queued(e) * (FREQ_MAX + 4);
	unsigned held = 0;

	while (tries-- > 0 && held < HELD_MAX) {
		uint8_t which = choose(e), f;
		bool small = which == Q_YOUNG || which == Q_AGED, unread;
		uint32_t slot = e->q[which].tail, block;
		struct ipc_slot *s;

		if (slot == NIL)
			return (IPC_NO_SLOT);
		s = cm_slot(cm, slot);
		block = head_block(cm_head(cm, slot));
		f = freq(s);
		evict_remove(cm, slot);
		if (slot_dirty(s))
			continue; /* its IPC_DIRTY is on the way */
		unread = (head_flags(cm_head(cm, slot)) & SLOT_F_MARK) != 0;
		if (f > 0 && small) {
			move(cm, slot, Q_MAIN);
			continue;
		}
		if (unread && small) {
			push(cm, Q_UNREAD, slot);
			continue;
		}
		if (f > 0) {
			atomic_store_explicit(&s->seen,
			    (uint8_t)(atomic_load(&s->touch) - (f > FREQ_MAX ? FREQ_MAX : f) + 1),
			    memory_order_relaxed);
			push(cm, block < e->protected ? Q_KEPT : Q_MAIN, slot);
			continue;
		}
		if (!take(cm, slot, NULL))
			continue;
		if (small)
			*ghost_of(e, block) = block + 1;
		if (unread)
			readahead_wasted(cm, block);
		ctr_inc(cm->ctr, evictions);
		if (cm->commit != NULL && commit_hold_slot(cm, slot)) {
			held++; /* its durable record still says dirty: free after the commit */
			continue;
		}
		return (slot);
	}
	return (IPC_NO_SLOT);
}

bool
evict_this(struct cachemgr *cm, uint32_t slot)
{
	struct ipc_slot *s = cm_slot(cm, slot);

	if (s->queue == Q_NONE || slot_dirty(s))
		return (false);
	evict_remove(cm, slot);
	if (!take(cm, slot, NULL))
		return (false);
	ctr_inc(cm->ctr, evictions);
	if (cm->commit == NULL || !commit_hold_slot(cm, slot))
		slot_release(cm, slot);
	return (true);
}

bool
evict_own(struct cachemgr *cm, struct bop *b)
{
	uint32_t slot = b->cur;

	if (slot == IPC_NO_SLOT || b->base == slot || b->upload != UP_NONE ||
	    b->merge != MERGE_NONE || b->on_dirty || slot_dirty(cm_slot(cm, slot)) ||
	    cm_slot(cm, slot)->queue == Q_NONE)
		return (false);
	evict_remove(cm, slot);
	if (!take(cm, slot, b))
		return (false);
	bop_set_cur(b, IPC_NO_SLOT);
	if (cm->commit == NULL || !commit_hold_slot(cm, slot))
		slot_release(cm, slot);
	return (true);
}
