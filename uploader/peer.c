/* SPDX-License-Identifier: ISC */
/*
 * peer.c -- messages from cachemgr, and replies to it that are never lost: what does not fit into the
 * ring waits in the outbox.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/check.h"
#include "common/counters.h"
#include "common/log.h"
#include "ipc/bell.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define OUTBOX_ENOUGH 1024 /* replies waiting: no more listing until they are gone */

/* The bell only wakes; ipc_bell_clear() at the top of the next turn reads the descriptor. */
static void
on_bell(void *arg, int fd, uint32_t events)
{
	(void)arg, (void)fd, (void)events;
}

int
peer_open(struct uploader *up)
{
	const struct shm *shm = up->env->shm;
	uint32_t me = up->env->proc - PROC_UPLOADER0;
	int error;

	if ((error = ipc_ring_attach(
		 shm_ring(shm, SHM_RINGS_CM_UP, me), shm->geo.ring_msgs, &up->from_cm)) < 0 ||
	    (error = ipc_ring_attach(
		 shm_ring(shm, SHM_RINGS_UP_CM, me), shm->geo.ring_msgs, &up->to_cm)) < 0)
		return (error);
	slot_table_attach(&up->slots, shm);
	up->bell_fd = up->env->fd[ROLE_FD_UPBELL0 + me];
	if (up->bell_fd < 0)
		return (-EBADF);
	return (loop_watch(&up->loop, loop_source(&up->loop, on_bell, up), up->bell_fd, EPOLLIN));
}

static bool
push(struct uploader *up, const struct ipc_msg *m)
{
	int error = ipc_ring_push(&up->to_cm, m);

	if (error == -EPROTO)
		log_err(error, "the ring to cachemgr is damaged");
	up->ring_cm = true;
	return (error != -EAGAIN);
}

void
peer_send(struct uploader *up, const struct ipc_msg *m)
{
	if (up->out_n == 0 && push(up, m))
		return;
	if (up->out_first + up->out_n == up->out_room) {
		if (up->out_n > 0) /* there may be no outbox yet */
			memmove(up->outbox, up->outbox + up->out_first, up->out_n * sizeof(*m));
		up->out_first = 0;
		if (up->out_n == up->out_room) {
			up->out_room = up->out_room != 0 ? 2 * up->out_room : 256;
			up->outbox = reallocarray(up->outbox, up->out_room, sizeof(*m));
			MUST(up->outbox != NULL);
		}
	}
	up->outbox[up->out_first + up->out_n++] = *m;
}

void
peer_flush(struct uploader *up)
{
	while (up->out_n > 0 && push(up, &up->outbox[up->out_first])) {
		up->out_first++;
		up->out_n--;
	}
	if (up->out_n == 0)
		up->out_first = 0;
	if (up->ring_cm)
		ipc_bell_ring(shm_bell(up->env->shm, PROC_CACHEMGR), -1);
	up->ring_cm = false;
}

bool
peer_backed_up(const struct uploader *up)
{
	return (up->out_n >= OUTBOX_ENOUGH);
}

static int
check(const struct uploader *up, const struct ipc_msg *m)
{
	if (ipc_msg_check(up->env->shm, m) < 0)
		return (-EPROTO);
	if ((m->type == IPC_GET || m->type == IPC_PUT) &&
	    (m->slot == IPC_NO_SLOT || (m->type == IPC_GET && m->len == 0)))
		return (-EPROTO);
	return (0);
}

static void
dispatch(struct uploader *up, const struct ipc_msg *m)
{
	log_trace(TRACE_IPC, "got %s: req=%llu block=%llu slot=%u", ipc_type_name(m->type),
	    (unsigned long long)m->req_id, (unsigned long long)m->block, m->slot);
	switch (m->type) {
	case IPC_GET:
	case IPC_PUT:
	case IPC_CHECK:
		transfer_begin(up, m);
		break;
	case IPC_DELETE:
		deletion_message(up, m);
		break;
	case IPC_LIST:
		listing_begin(up, m);
		break;
	case IPC_TOKEN:
		renewal_begin(up, m);
		break;
	case IPC_CANCEL:
		work_cancel(up, m->req_id);
		break;
	default:
		ctr_inc(up->env->counters, bad_messages);
		break;
	}
}

int
peer_receive(struct uploader *up, int max)
{
	struct ipc_msg m;
	int n = 0, error = 0;

	while (n < max && (error = ipc_ring_pop(&up->from_cm, &m)) == 0) {
		n++;
		if (check(up, &m) < 0) {
			ctr_inc(up->env->counters, bad_messages);
			log_warn("a message of cachemgr does not hold together: type=%s",
			    ipc_type_name(m.type));
		} else {
			dispatch(up, &m);
		}
	}
	if (error == -EPROTO)
		log_err(error, "the ring from cachemgr is damaged");
	return (n);
}
