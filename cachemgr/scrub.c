/* SPDX-License-Identifier: ISC */
/*
 * scrub.c -- are the objects what they should be?  Reads them back, a window of blocks at a time.
 *
 * s3backerd asks (CHECK) for up to 64 blocks; the DONE says which are bad, missing, repaired.  All that
 * is known of a whole scrub lies with s3backerd, so our death costs one window, which is asked for
 * again.  The uploader fetches an object into memory, checks it, and throws it away: the cache is not
 * touched.
 *
 *	WAITING --step--> INFLIGHT --good-------------------------------> OVER
 *	   ^                 |  \--bad, and so at another look--> BAD --> OVER
 *	   |                 v                                     |
 *	   +--- not sure, uploader died, store away                +--repair--> WAITING
 *
 *  C1 A block that is known to be absent, or whose object is to be deleted, has nothing to be read.
 *  C2 A verdict counts only for a block that nothing is going on with: one that is dirty or on its way is
 *     looked at again when its newer object is there.  What cannot be uploaded within PATIENCE is bad.
 *  C3 Repair: a whole and clean copy in the cache whose bytes have the checksum that was noted with them
 *     becomes dirty, and goes the way of any dirty block; then the new object is looked at.
 *  C4 Low priority: few at once, one while somebody else has transfers under way, none for readers that
 *     queue.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/warm.h"

#define AGAIN_US 300000
#define PATIENCE 100	     /* such pauses for a block to be uploaded */
#define LOOKS	 2	     /* that must say "bad" */
#define MEMORY	 (32u << 20) /* of the uploaders, for blocks being checked */
#define REQUESTS 16

enum item_state {
	WAITING,
	INFLIGHT,
	OVER
};

struct scrub_item {
	struct scrub_req *req;
	uint64_t at_us; /* WAITING: not before */
	uint32_t block;
	uint8_t state, looks, pauses;
	bool bad, missing, repairing, repaired;
};

struct scrub_req {
	LIST_ENTRY(scrub_req) link;
	uint64_t req_id;
	uint32_t count, left, read;
	bool repair;
	struct scrub_item item[IPC_CHECK_MAX];
};

static void
over(struct scrub_item *it)
{
	it->state = OVER;
	it->req->left--;
}

static void
again(struct cachemgr *cm, struct scrub_item *it, uint64_t delay_us)
{
	it->state = WAITING;
	it->at_us = cm->now_us + delay_us;
}

/* ---- what goes on with the block ------------------------------------------------------------ */

/* C2.  True: it has to wait until a newer object is there. */
static bool
changing(struct cachemgr *cm, struct scrub_item *it)
{
	struct bop *b = bop_find(cm, it->block);

	if (b == NULL || (!b->on_dirty && b->upload == UP_NONE) || it->pauses >= PATIENCE)
		return (false);
	it->pauses++;
	if (b->on_dirty && b->upload == UP_NONE && !b->on_retry)
		writeback_later(cm, b, 0);
	return (true);
}

/* C3.  True: its bytes are on their way. */
static bool
repair(struct cachemgr *cm, struct scrub_item *it)
{
	struct bop *b = bop_get(cm, it->block); /* a kept slot of the last run is linked by that */
	struct ipc_slot *s;
	bool good = false;

	if (b == NULL)
		return (false);
	if (b->cur != IPC_NO_SLOT && !b->on_dirty && b->upload == UP_NONE &&
	    b->merge == MERGE_NONE && head_state(cm_head(cm, b->cur)) == SLOT_LIVE &&
	    !slot_dirty(cm_slot(cm, b->cur)) &&
	    ((head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE) != 0 || slot_whole(cm, b->cur)) &&
	    warm_bytes_hold(cm, b->cur)) {
		s = cm_slot(cm, b->cur);
		/* As in copy_frozen(): dirty without a byte written.  A writer meanwhile makes it more so. */
		atomic_store(&s->cseq, atomic_load(&s->wseq) - 1);
		bop_set_dirty(cm, b);
		writeback_later(cm, b, 0);
		good = true;
	}
	bop_kick(cm, b);
	return (good);
}

/* ---- one look ------------------------------------------------------------------------------- */

static bool
has_place(struct cachemgr *cm)
{
	uint32_t limit =
	    (uint32_t)clamp_u64(MEMORY / cm->shm->geo.block_size, 1, cm->max_transfers / 2);

	if (!TAILQ_EMPTY(&cm->fetch_wait[0]) || !TAILQ_EMPTY(&cm->fetch_wait[1]) ||
	    !sched_has_room(cm, XFER_PUT))
		return (false);
	if (cm->reads_inflight > cm->checks_inflight || cm->writes_inflight > 0)
		limit = 1;
	return (cm->checks_inflight < limit);
}

static void
look(struct cachemgr *cm, struct scrub_item *it)
{
	struct ipc_msg m = {.type = IPC_CHECK, .block = it->block, .arg = 1, .slot = IPC_NO_SLOT};
	enum zero_state z = zero_get(&cm->tab, it->block);
	struct xfer *x;

	if (cm->fenced) { /* s3backerd hears of it when it asks for the next window */
		over(it);
		return;
	}
	if (z == ZERO_UNKNOWN) { /* one listing is cheaper than asking for each */
		if (!cm->survey_on && !cm->survey_wanted) {
			cm->survey_retry_us = 0;
			cm->survey_wanted = true;
		}
		again(cm, it, AGAIN_US);
		return;
	}
	if (z != ZERO_PRESENT) { /* C1 */
		it->bad = it->bad && it->repairing;
		it->repaired = it->bad; /* the cached block was all zeros */
		over(it);
		return;
	}
	if (changing(cm, it)) {
		again(cm, it, AGAIN_US);
		return;
	}
	if (!has_place(cm)) {
		again(cm, it, AGAIN_US / 10);
		return;
	}
	if ((x = sched_start(cm, XFER_CHECK, &m)) == NULL)
		return;
	x->check = it;
	it->state = INFLIGHT;
	(void)sched_send(cm, x, &m);
}

static void
verdict_bad(struct cachemgr *cm, struct scrub_item *it, bool missing)
{
	if (zero_get(&cm->tab, it->block) != ZERO_PRESENT || changing(cm, it) ||
	    ++it->looks < LOOKS) {
		again(cm, it, AGAIN_US);
		return;
	}
	it->bad = true;
	it->missing = missing;
	log_warn("scrub: the object of a block is %s: block=%u%s", missing ? "missing" : "bad",
	    it->block, it->repairing ? " (still, after an upload)" : "");
	if (it->req->repair && !it->repairing && repair(cm, it)) {
		it->repairing = true;
		it->looks = it->pauses = 0;
		again(cm, it, AGAIN_US / 10);
		return;
	}
	over(it);
}

void
scrub_done(struct cachemgr *cm, struct scrub_item *it, const struct ipc_msg *m)
{
	switch (m->status) {
	case 0:
		it->req->read++;
		if (it->bad) {
			it->repaired = true;
			log_info("scrub: repaired from the cache: block=%u", it->block);
		}
		over(it);
		break;
	case -ENOENT:
	case -EBADMSG:
		it->req->read++;
		verdict_bad(cm, it, m->status == -ENOENT);
		break;
	default: /* the store is away, the uploader died or leaves: nothing is known */
		again(cm, it, m->status == -EAGAIN ? 0 : AGAIN_US);
		break;
	}
}

/* ---- windows -------------------------------------------------------------------------------- */

static void
answer(struct cachemgr *cm, const struct scrub_req *r)
{
	struct ipc_msg m = {
	    .type = IPC_DONE, .req_id = r->req_id, .slot = IPC_NO_SLOT, .off = r->read};
	uint64_t missing = 0, repaired = 0;

	for (uint32_t i = 0; i < r->count; i++) {
		m.arg |= (uint64_t)r->item[i].bad << i;
		missing |= (uint64_t)(r->item[i].bad && r->item[i].missing) << i;
		repaired |= (uint64_t)r->item[i].repaired << i;
	}
	memcpy(m.etag, &missing, 8);
	memcpy(m.etag + 8, &repaired, 8);
	cm_reply_sup_msg(cm, &m);
}

void
scrub_request(struct cachemgr *cm, const struct ipc_msg *m)
{
	struct scrub_req *r, *other;
	unsigned n = 0;

	LIST_FOREACH (other, &cm->scrubs, link) {
		if (other->req_id == m->req_id)
			return; /* sent twice */
		n++;
	}
	if (ipc_msg_check(cm->shm, m) < 0 || m->arg == 0 || m->arg > IPC_CHECK_MAX) {
		cm_reply_sup(cm, m->req_id, -EINVAL, 0);
		return;
	}
	if (cm->fenced || n >= REQUESTS || (r = calloc(1, sizeof(*r))) == NULL) {
		cm_reply_sup(cm, m->req_id, cm->fenced ? -ESTALE : -EAGAIN, 0);
		return;
	}
	r->req_id = m->req_id;
	r->count = r->left = (uint32_t)m->arg;
	r->repair = (m->flags & IPC_F_REPAIR) != 0;
	for (uint32_t i = 0; i < r->count; i++) {
		r->item[i].req = r;
		r->item[i].block = (uint32_t)m->block + i;
	}
	LIST_INSERT_HEAD(&cm->scrubs, r, link);
}

void
scrub_run(struct cachemgr *cm)
{
	struct scrub_req *r, *next;

	for (r = LIST_FIRST(&cm->scrubs); r != NULL && !cm->stopping; r = next) {
		next = LIST_NEXT(r, link);
		for (uint32_t i = 0; i < r->count; i++)
			if (r->item[i].state == WAITING && r->item[i].at_us <= cm->now_us)
				look(cm, &r->item[i]);
		if (r->left > 0)
			continue;
		answer(cm, r);
		LIST_REMOVE(r, link);
		free(r);
	}
}

uint64_t
scrub_deadline(const struct cachemgr *cm)
{
	const struct scrub_req *r;
	uint64_t at = UINT64_MAX;

	LIST_FOREACH (r, &cm->scrubs, link)
		for (uint32_t i = 0; i < r->count; i++)
			if (r->item[i].state == WAITING && r->item[i].at_us < at)
				at = r->item[i].at_us;
	return (at);
}
