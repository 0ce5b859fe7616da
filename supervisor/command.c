/* SPDX-License-Identifier: ISC */
#include "supervisor/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"

#include "common/counters.h"
#include "common/log.h"

#include "supervisor/bury.h"
#include "supervisor/control.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

int
command_attach(struct super *s)
{
	int r =
	    ipc_ring_attach(shm_ring(&s->shm, SHM_RING_SUP_CM, 0), s->shm.geo.ring_msgs, &s->to_cm);

	if (r == 0)
		r = ipc_ring_attach(
		    shm_ring(&s->shm, SHM_RING_CM_SUP, 0), s->shm.geo.ring_msgs, &s->from_cm);
	return (r);
}

static void
push_unsent(struct super *s)
{
	struct pending *p;
	bool pushed = false;

	if (s->role[PROC_CACHEMGR].state != ROLE_RUNNING &&
	    s->role[PROC_CACHEMGR].state != ROLE_LEAVING)
		return;
	TAILQ_FOREACH (p, &s->pending, link) {
		if (p->sent)
			continue;
		if (ipc_ring_push(&s->to_cm, &p->msg) < 0)
			break;
		p->sent = pushed = true;
	}
	if (pushed)
		ipc_bell_ring(shm_bell(&s->shm, PROC_CACHEMGR), -1);
}

int
command_send(
    struct super *s, struct ipc_msg msg, void (*done)(struct super *, void *, int), void *arg)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return (-ENOMEM);
	p->msg = msg;
	p->msg.req_id = ++s->next_req;
	p->done = done;
	p->arg = arg;
	TAILQ_INSERT_TAIL(&s->pending, p, link);
	push_unsent(s);
	return (0);
}

int
command_adopt(struct super *s, struct ipc_msg msg, bool sent, struct client *client)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return (-ENOMEM);
	p->msg = msg;
	p->sent = sent;
	p->done = client != NULL ? control_done(msg.type) : NULL;
	if (msg.type == IPC_CHECK) /* nobody's, the disk's */
		p->done = scrub_window_done;
	p->arg = client;
	TAILQ_INSERT_TAIL(&s->pending, p, link);
	return (0);
}

void
command_forget(struct super *s, const void *arg)
{
	struct pending *p;

	TAILQ_FOREACH (p, &s->pending, link)
		if (p->arg == arg)
			p->done = NULL;
}

static void
take_done(struct super *s, const struct ipc_msg *m)
{
	struct pending *p;

	TAILQ_FOREACH (p, &s->pending, link)
		if (p->msg.req_id == m->req_id)
			break;
	if (p == NULL) { /* of a request that was sent twice */
		ctr_inc(shm_counters(&s->shm, PROC_SUPERVISOR), stale_messages);
		return;
	}
	TAILQ_REMOVE(&s->pending, p, link);
	if (p->msg.type == IPC_DEAD)
		bury_confirmed(s, p->msg.off, (uint32_t)p->msg.arg);
	s->dialogue.request = &p->msg;
	s->dialogue.reply = m;
	if (p->done != NULL)
		p->done(s, p->arg, m->status);
	free(p);
}

void
command_replies(struct super *s)
{
	struct ipc_msg m;
	int r;

	while ((r = ipc_ring_pop(&s->from_cm, &m)) == 0) {
		if (ipc_msg_check(&s->shm, &m) < 0 || m.type != IPC_DONE) {
			ctr_inc(shm_counters(&s->shm, PROC_SUPERVISOR), bad_messages);
			continue;
		}
		take_done(s, &m);
	}
	if (r != -EAGAIN)
		log_err(r, "cachemgr's replies cannot be read");
	push_unsent(s);
}

void
command_resend(struct super *s)
{
	struct pending *p, *next;

	TAILQ_FOREACH_SAFE (p, &s->pending, link, next) {
		/* Its successor may be alive already: burying twice would take what is in use. */
		if (p->msg.type == IPC_DEAD && bury_is_done(s, p->msg.off, (uint32_t)p->msg.arg)) {
			TAILQ_REMOVE(&s->pending, p, link);
			free(p);
			continue;
		}
		p->sent = false;
	}
	push_unsent(s);
}

void
command_drop_all(struct super *s)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&s->pending)) != NULL) {
		TAILQ_REMOVE(&s->pending, p, link);
		free(p);
	}
}
