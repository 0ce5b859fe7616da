/* SPDX-License-Identifier: ISC */
/*
 * sched.c -- transfers: how many, to which uploader, and whose answer a DONE is.
 *
 * Some transfers are reserved for readers, so that a read miss leaves at once while a full backlog
 * uploads.  The least busy uploader gets the next request.
 *
 * A place is not enough: what an uploader receives waits for its turn among all that it sends, and
 * one that sends runs at a lower priority.  So while there are readers who wait, the first uploader gets
 * no new uploads, if there are others.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/conf.h"
#include "common/log.h"
#include "cachemgr/cm.h"

#define NIL	   UINT32_MAX
#define QUEUE_US   50000   /* shorter ones are none */
#define READER_US  1000000 /* who has waited for a block lately will wait for others */
#define PUT_WEIGHT 4 /* for a GET, an uploader with one PUT is as busy as one with so many GETs */

int
sched_open(struct cachemgr *cm)
{
	uint32_t per_ring = cm->shm->geo.ring_msgs / 2;

	cm->max_transfers = conf_max_transfers(cm->env->conf, cm->shm->geo.block_size);
	if (cm->max_transfers > per_ring * cm->shm->geo.nuploaders)
		cm->max_transfers = per_ring * cm->shm->geo.nuploaders;
	if (cm->max_transfers < 2)
		cm->max_transfers = 2;
	/*
	 * Few are enough: transfers end all the time, and readers take the places that become free
	 * before anyone else.  They only bridge the time until the next one ends.
	 */
	cm->reserved = cm->max_transfers / 16 > 0 ? cm->max_transfers / 16 : 1;
	cm->put_limit = cm->max_transfers;
	/* Listing and deletes come on top; they must not wait for a block to arrive. */
	cm->nxfers = cm->max_transfers + 32;
	cm->xfer = calloc(cm->nxfers, sizeof(*cm->xfer));
	if (cm->xfer == NULL)
		return (-ENOMEM);
	for (uint32_t i = 0; i < cm->nxfers; i++)
		cm->xfer[i].next_free = i + 1 < cm->nxfers ? i + 1 : NIL;
	cm->xfer_free = 0;
	return (0);
}

/* Of the uploaders, how many get no uploads now: the first ones. */
static unsigned
for_readers(const struct cachemgr *cm)
{
	return (cm->reader_us != 0 && cm->now_us < cm->reader_us + READER_US &&
		cm->shm->geo.nuploaders > 1);
}

void
sched_reader(struct cachemgr *cm)
{
	cm->reader_us = cm->now_us;
}

bool
sched_has_room(struct cachemgr *cm, enum xfer_kind kind)
{
	uint32_t all = cm->reads_inflight + cm->writes_inflight, n = cm->shm->geo.nuploaders;

	if (landing_quiet(cm))
		return (false);
	if (kind == XFER_GET)
		return (all < cm->max_transfers);
	return (all < cm->max_transfers && cm->writes_inflight < cm->max_transfers - cm->reserved &&
		cm->writes_inflight < cm->put_limit &&
		cm->writes_inflight < cm->max_transfers - for_readers(cm) * cm->max_transfers / n);
}

/* For a request of this kind. */
static uint32_t
busy(const struct cachemgr *cm, unsigned u, enum xfer_kind kind)
{
	return (cm->up_inflight[u] + (kind == XFER_GET ? PUT_WEIGHT * cm->up_puts[u] : 0));
}

static unsigned
choose(const struct cachemgr *cm, enum xfer_kind kind)
{
	unsigned best = kind == XFER_PUT ? for_readers(cm) : 0;

	for (unsigned u = best + 1; u < cm->shm->geo.nuploaders; u++)
		if (busy(cm, u, kind) < busy(cm, best, kind))
			best = u;
	return (best);
}

/*
 * More uploads than the line or the server takes make a queue, in which the GETs of readers wait as well.
 * It shows in PUTs that take many times as long as the fastest.  A quarter of the transfers is always
 * theirs.
 */
static void
put_took(struct cachemgr *cm, uint64_t us)
{
	uint32_t step = cm->put_limit / 32 + 1, least = cm->max_transfers / 4 + 1;

	cm->put_fastest_us += cm->put_fastest_us / 512 + 1;
	if (us < cm->put_fastest_us || cm->put_mean_us == 0)
		cm->put_fastest_us = us;
	cm->put_mean_us = cm->put_mean_us == 0 ? us : (cm->put_mean_us * 7 + us) / 8;
	if (cm->put_mean_us <= QUEUE_US || cm->put_mean_us <= 3 * cm->put_fastest_us)
		cm->put_limit += step;
	else if (cm->put_mean_us > 6 * cm->put_fastest_us)
		cm->put_limit -= step;
	if (cm->put_limit < least)
		cm->put_limit = least;
	if (cm->put_limit > cm->max_transfers)
		cm->put_limit = cm->max_transfers;
}

struct xfer *
sched_start(struct cachemgr *cm, enum xfer_kind kind, struct ipc_msg *m)
{
	uint32_t i = cm->xfer_free;
	struct xfer *x;
	unsigned best;

	if (i == NIL)
		return (NULL);
	best = choose(cm, kind);
	x = &cm->xfer[i];
	cm->xfer_free = x->next_free;
	x->kind = (uint8_t)kind;
	x->uploader = (uint8_t)best;
	x->start_us = cm->now_us;
	x->slot = IPC_NO_SLOT;
	x->bop = NULL;
	x->del = NULL;
	x->check = NULL;
	x->use++;
	cm->up_inflight[best]++;
	if (kind == XFER_GET || kind == XFER_CHECK)
		cm->reads_inflight++;
	if (kind == XFER_CHECK)
		cm->checks_inflight++;
	if (kind == XFER_PUT) {
		cm->writes_inflight++;
		cm->up_puts[best]++;
	}
	m->req_id = (uint64_t)x->use << 32 | i;
	if (kind == XFER_DELETE || kind == XFER_LIST || kind == XFER_PAGE || kind == XFER_TOKEN)
		m->slot = IPC_NO_SLOT;
	return (x);
}

/*
 * An uploader whose index cannot be is not to be trusted with another slot, and what it has is nobody
 * knows where.  Our end is the end of all uploaders: the next of us begins with new ones and empty rings.
 */
_Noreturn void
sched_give_up(uint32_t uploader, int error)
{
	log_err(error,
	    "the ring of an uploader is damaged, starting over with new ones: uploader=%u",
	    uploader);
	exit(ROLE_EXIT_AGAIN);
}

int
sched_send(struct cachemgr *cm, struct xfer *x, struct ipc_msg *m)
{
	int error = ipc_ring_push(&cm->up[x->uploader].out, m);

	if (error == -EPROTO)
		sched_give_up(x->uploader, error);
	/* Cannot be full: max_transfers keeps us below half a ring, deletes wait for their batch.
	 */
	MUST(error == 0);
	cm->up_rung[x->uploader] = true;
	return (error);
}

static void
xfer_free(struct cachemgr *cm, struct xfer *x)
{
	cm->up_inflight[x->uploader]--;
	if (x->kind == XFER_GET || x->kind == XFER_CHECK)
		cm->reads_inflight--;
	if (x->kind == XFER_CHECK)
		cm->checks_inflight--;
	if (x->kind == XFER_PUT) {
		cm->writes_inflight--;
		cm->up_puts[x->uploader]--;
	}
	x->kind = XFER_FREE;
	x->next_free = cm->xfer_free;
	cm->xfer_free = (uint32_t)(x - cm->xfer);
}

static void
xfer_done(struct cachemgr *cm, struct xfer *x, const struct ipc_msg *m)
{
	struct xfer was = *x;

	if ((m->flags & IPC_F_VERIFY) != 0) {
		if (was.kind == XFER_PUT)
			landing_note(cm, was.bop->block, 1);
		else if (was.kind == XFER_DELETE)
			delete_landing(cm, was.del);
	}
	if (was.kind == XFER_GET && m->status == 0 && (m->flags & IPC_F_ZERO) == 0)
		readahead_took(cm, cm->now_us - was.start_us, was.bop->part_len == 0);
	if (was.kind == XFER_PUT && m->status == 0 && (m->flags & (IPC_F_ZERO | IPC_F_VERIFY)) == 0)
		put_took(cm, cm->now_us - was.start_us);
	xfer_free(cm, x); /* first: what follows may start transfers */
	switch (was.kind) {
	case XFER_GET:
		fetch_done(cm, was.bop, m);
		break;
	case XFER_PUT:
		upload_done(cm, was.bop, m);
		break;
	case XFER_DELETE:
		delete_done(cm, was.del, m);
		break;
	case XFER_LIST:
		survey_done(cm, m->status);
		break;
	case XFER_PAGE:
		page_done(cm, m);
		break;
	case XFER_TOKEN:
		lease_done(cm, m);
		break;
	case XFER_CHECK:
		scrub_done(cm, was.check, m);
		break;
	default:
		NOTREACHED("a transfer of no kind");
	}
}

/* The transfer a message answers, if it is one of this uploader's that is still going on. */
static struct xfer *
xfer_of(struct cachemgr *cm, uint32_t uploader, const struct ipc_msg *m)
{
	uint32_t i = (uint32_t)m->req_id;

	if (i >= cm->nxfers || cm->xfer[i].kind == XFER_FREE ||
	    cm->xfer[i].use != (uint32_t)(m->req_id >> 32) || cm->xfer[i].uploader != uploader)
		return (NULL);
	return (&cm->xfer[i]);
}

void
sched_handle(struct cachemgr *cm, uint32_t uploader, const struct ipc_msg *m)
{
	struct xfer *x;

	if (ipc_msg_check(cm->shm, m) < 0 || (m->type != IPC_DONE && m->type != IPC_LISTED) ||
	    m->status > 0) {
		ctr_inc(cm->ctr, bad_messages);
		return;
	}
	x = xfer_of(cm, uploader, m);
	if (x == NULL) {
		ctr_inc(cm->ctr, stale_messages);
		return;
	}
	if (m->type == IPC_LISTED) {
		if (x->kind == XFER_LIST)
			survey_listed(cm, m);
		else if (x->kind == XFER_PAGE)
			page_listed(cm, m);
		else
			ctr_inc(cm->ctr, bad_messages);
		return;
	}
	xfer_done(cm, x, m);
}

void
sched_bury(struct cachemgr *cm, uint32_t uploader)
{
	struct ipc_msg gone = {.type = IPC_DONE, .status = -EAGAIN, .slot = IPC_NO_SLOT}, m;

	/*
	 * What it did not take out of its ring is taken back: its successor must not begin requests
	 * whose slots have been given away.  The supervisor spawns it only after we have answered.
	 */
	while (ipc_ring_pop(&cm->up[uploader].in, &m) == 0)
		sched_handle(cm, uploader, &m);
	ipc_ring_skip_dead(&cm->up[uploader].in);
	ipc_ring_reset_dead(&cm->up[uploader].out);
	for (uint32_t i = 0; i < cm->nxfers; i++)
		if (cm->xfer[i].kind != XFER_FREE && cm->xfer[i].uploader == uploader) {
			gone.flags = IPC_F_VERIFY; /* nobody knows what became of it */
			xfer_done(cm, &cm->xfer[i], &gone);
		}
}
