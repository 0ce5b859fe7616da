/* SPDX-License-Identifier: ISC */
/*
 * channel.c -- tickets, the two waiting lines, and asking again.
 *
 * Whether a question must be asked again when cachemgr has died depends on whether the dead one had
 * taken it out of the ring: the ring's head says so.  What lies there still is for its successor,
 * who goes on reading where the dead one stopped.
 */
#include "frontend/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"

#include "common/conf.h"
#include "common/inject.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/role.h"
#include "common/timeutil.h"

#include "frontend/guard.h"
#include "frontend/volume.h"

#define TELL_BY_US     (20 * US_PER_MS) /* cachemgr hears of a dirty slot at least this soon */
#define RETRY_US       (5 * US_PER_MS)	/* how soon to look for room in a full ring */
#define EPOCH_CHECK_US (200 * US_PER_MS)

struct ticket {
	struct outmsg *out; /* NULL: free */
	uint32_t seq;	    /* tells the answers to earlier holders apart */
	uint32_t ring_pos;  /* tail of the ring when it was pushed */
	bool sent;
};

struct told { /* an announcement that found the ring full */
	STAILQ_ENTRY(told) link;
	struct ipc_msg msg;
};

struct channel {
	struct volume *v;
	struct ipc_bell *cm_bell;
	struct proc_slot *cm;
	struct ipc_ring_end from_cm; /* completion thread only */

	pthread_mutex_t lock; /* all below */
	struct ipc_ring_end to_cm;
	struct ticket *ticket;
	uint32_t ntickets, nfree;
	uint32_t *free;	   /* stack of ticket numbers */
	uint32_t unsent;   /* tickets to be asked again */
	uint32_t cm_epoch; /* of the cachemgr that was asked */
	uint32_t waiting;  /* length of both lines */
	STAILQ_HEAD(, told) tells;
	STAILQ_HEAD(, outmsg) asks;
};

int
channel_open(struct volume *v, struct channel **ret_channel)
{
	const struct shm *shm = v->env->shm;
	uint32_t n = shm->geo.ring_msgs;
	struct channel *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return (-ENOMEM);
	c->v = v;
	c->cm_bell = shm_bell(shm, PROC_CACHEMGR);
	c->cm = shm_proc(shm, PROC_CACHEMGR);
	c->cm_epoch = atomic_load(&c->cm->epoch);
	c->ntickets = c->nfree = n / 2 > 0 ? n / 2 : 1;
	c->ticket = calloc(c->ntickets, sizeof(*c->ticket));
	c->free = calloc(c->ntickets, sizeof(*c->free));
	(void)pthread_mutex_init(&c->lock, NULL);
	STAILQ_INIT(&c->tells);
	STAILQ_INIT(&c->asks);
	if (c->ticket == NULL || c->free == NULL) {
		channel_close(&c);
		return (-ENOMEM);
	}
	for (uint32_t i = 0; i < c->ntickets; i++)
		c->free[i] = c->ntickets - 1 - i;
	if ((r = ipc_ring_attach(shm_ring(shm, SHM_RING_FE_CM, 0), n, &c->to_cm)) < 0 ||
	    (r = ipc_ring_attach(shm_ring(shm, SHM_RING_CM_FE, 0), n, &c->from_cm)) < 0) {
		channel_close(&c);
		return (r);
	}
	*ret_channel = c;
	return (0);
}

void
channel_close(struct channel **cp)
{
	struct channel *c = *cp;
	struct told *t;

	if (c == NULL)
		return;
	while ((t = STAILQ_FIRST(&c->tells)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->tells, link);
		free(t);
	}
	free(c->ticket);
	free(c->free);
	free(c);
	*cp = NULL;
}

/* req_id: epoch of this frontend, so that a predecessor's answers are not ours; use; ticket. */
static uint64_t
ticket_id(const struct channel *c, uint32_t i)
{
	return ((uint64_t)(c->v->env->epoch & 0xffff) << 48 |
		(uint64_t)(c->ticket[i].seq & 0xffffff) << 24 | i);
}

/*----------------------------------------------------------------------
 * Below this line and down to the next: with the lock held.
 */
static int
push(struct channel *c, const struct ipc_msg *m)
{
	int r = ipc_ring_push(&c->to_cm, m);

	if (r == -EPROTO) {
		/* cachemgr's index is impossible.  Its successor's will not be: wait for it. */
		ctr_inc(c->v->env->counters, bad_messages);
		r = -EAGAIN;
	}
	return (r);
}

static int
push_ticket(struct channel *c, uint32_t i)
{
	struct ticket *t = &c->ticket[i];

	t->ring_pos = atomic_load_explicit(&c->to_cm.ring->tail, memory_order_relaxed);
	t->sent = push(c, &t->out->msg) == 0;
	return (t->sent ? 0 : -EAGAIN);
}

static int
ask_now(struct channel *c, struct outmsg *out)
{
	uint32_t i;

	if (c->nfree == 0 || !STAILQ_EMPTY(&c->tells))
		return (-EAGAIN);
	i = c->free[c->nfree - 1];
	c->ticket[i].out = out;
	out->msg.req_id = ticket_id(c, i);
	if (push_ticket(c, i) < 0) {
		c->ticket[i].out = NULL;
		return (-EAGAIN);
	}
	c->nfree--;
	return (0);
}

/* Everything that waits and fits now. */
static bool
send_waiting(struct channel *c)
{
	struct outmsg *out;
	struct told *t;
	bool any = false;

	for (uint32_t i = 0; c->unsent > 0 && i < c->ntickets; i++) {
		if (c->ticket[i].out == NULL || c->ticket[i].sent)
			continue;
		if (push_ticket(c, i) < 0)
			return (any);
		c->unsent--;
		any = true;
	}
	while ((t = STAILQ_FIRST(&c->tells)) != NULL && push(c, &t->msg) == 0) {
		STAILQ_REMOVE_HEAD(&c->tells, link);
		free(t);
		c->waiting--;
		any = true;
	}
	while ((out = STAILQ_FIRST(&c->asks)) != NULL) {
		/* Off the list first: once sent, it belongs to whoever gets the answer. */
		STAILQ_REMOVE_HEAD(&c->asks, link);
		if (ask_now(c, out) < 0) {
			STAILQ_INSERT_HEAD(&c->asks, out, link);
			break;
		}
		c->waiting--;
		any = true;
	}
	return (any);
}

/* A new cachemgr: what its predecessor had taken is lost and must be asked again. */
static void
note_epoch(struct channel *c)
{
	uint32_t epoch = atomic_load(&c->cm->epoch);
	uint32_t head;

	if (epoch == c->cm_epoch)
		return;
	c->cm_epoch = epoch;
	head = atomic_load_explicit(&c->to_cm.ring->head, memory_order_acquire);
	c->unsent = 0;
	for (uint32_t i = 0; i < c->ntickets; i++) {
		struct ticket *t = &c->ticket[i];

		if (t->out == NULL)
			continue;
		if (t->sent && (int32_t)(t->ring_pos - head) < 0 &&
		    !INJECT_FAIL("mutate.p2-ask-once"))
			t->sent = false;
		c->unsent += !t->sent;
	}
	log_info("another cache manager: epoch=%u unanswered=%u asked_again=%u", epoch,
	    c->ntickets - c->nfree, c->unsent);
}
/*----------------------------------------------------------------------
 * Below this line: without the lock.
 */

void
channel_tell(struct channel *c, enum ipc_type type, uint64_t block, uint32_t slot, uint32_t gen,
    uint64_t arg)
{
	struct ipc_msg m = {
	    .type = (uint16_t)type, .block = block, .arg = arg, .slot = slot, .slot_gen = gen};
	bool kept = false;
	struct told *t;

	(void)pthread_mutex_lock(&c->lock);
	if (!STAILQ_EMPTY(&c->tells) || push(c, &m) < 0) {
		/* A lost announcement is found sooner or later, so no memory is no disaster. */
		if (type == IPC_DIRTY && (t = malloc(sizeof(*t))) != NULL) {
			t->msg = m;
			STAILQ_INSERT_TAIL(&c->tells, t, link);
			c->waiting++;
			kept = true;
		}
	}
	(void)pthread_mutex_unlock(&c->lock);
	if (kept)
		ipc_bell_ring(c->v->env->bell, -1); /* so that it looks for room from now on */
	if (type == IPC_DIRTY)
		ipc_bell_ring_by(c->cm_bell, -1, now_us() + TELL_BY_US);
	else
		ipc_bell_ring(c->cm_bell, -1);
}

void
channel_ask(struct channel *c, struct outmsg *out)
{
	bool sent;

	(void)pthread_mutex_lock(&c->lock);
	sent = STAILQ_EMPTY(&c->asks) && ask_now(c, out) == 0;
	if (!sent) {
		STAILQ_INSERT_TAIL(&c->asks, out, link);
		c->waiting++;
	}
	(void)pthread_mutex_unlock(&c->lock);
	if (!sent)
		ipc_bell_ring(c->v->env->bell, -1);
	ipc_bell_ring(c->cm_bell, -1);
}

static struct outmsg *
take_answer(struct channel *c, const struct ipc_msg *m)
{
	uint32_t i = (uint32_t)(m->req_id & 0xffffff);
	struct outmsg *out = NULL;

	(void)pthread_mutex_lock(&c->lock);
	if (i < c->ntickets && c->ticket[i].out != NULL && m->req_id == ticket_id(c, i)) {
		out = c->ticket[i].out;
		c->unsent -= !c->ticket[i].sent; /* asked again too early: the answer came */
		c->ticket[i].out = NULL;
		c->ticket[i].seq++;
		c->free[c->nfree++] = i;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return (out);
}

unsigned
channel_drain(struct channel *c, unsigned max,
    void (*answered)(struct outmsg *, int status, void *arg), void *arg)
{
	struct counters *ctr = c->v->env->counters;
	struct ipc_msg m;
	unsigned n = 0;
	int r;

	for (; n < max && (r = ipc_ring_pop(&c->from_cm, &m)) != -EAGAIN; n++) {
		struct outmsg *out;

		if (r < 0 || m.type != IPC_DONE || ipc_msg_check(c->v->env->shm, &m) < 0) {
			ctr_inc(ctr, bad_messages);
			if (r < 0)
				break;
			continue;
		}
		if ((out = take_answer(c, &m)) == NULL) {
			ctr_inc(ctr, stale_messages);
			continue;
		}
		log_trace(TRACE_IPC, "answer: type=%s block=%ju off=%u len=%u status=%d",
		    ipc_type_name(out->msg.type), (uintmax_t)out->msg.block, out->msg.off,
		    out->msg.len, m.status);
		answered(out, m.status < 0 ? m.status : 0, arg);
	}
	return (n);
}

uint64_t
channel_tend(struct channel *c, uint64_t now)
{
	uint64_t next = TIME_NEVER;
	bool any;

	(void)pthread_mutex_lock(&c->lock);
	note_epoch(c);
	any = send_waiting(c);
	/* Questions that wait for a ticket need no alarm: an answer frees one. */
	if (c->unsent > 0 || !STAILQ_EMPTY(&c->tells) || (!STAILQ_EMPTY(&c->asks) && c->nfree > 0))
		next = now + RETRY_US;
	else if (c->nfree < c->ntickets)
		next = now + EPOCH_CHECK_US;
	(void)pthread_mutex_unlock(&c->lock);
	if (any)
		ipc_bell_ring(c->cm_bell, -1);
	return (next);
}

unsigned
channel_unanswered(struct channel *c)
{
	unsigned n;

	(void)pthread_mutex_lock(&c->lock);
	n = c->ntickets - c->nfree + c->waiting;
	(void)pthread_mutex_unlock(&c->lock);
	return (n);
}
