/* SPDX-License-Identifier: ISC */
#include "ipc/ring.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t
ipc_ring_bytes(uint32_t nmsg)
{
	return (sizeof(struct ipc_ring) + (uint64_t)nmsg * sizeof(struct ipc_msg));
}

void
ipc_ring_init(struct ipc_ring *r, uint32_t nmsg)
{
	r->nmsg = nmsg;
	r->version = IPC_VERSION;
	r->msg_size = sizeof(struct ipc_msg);
	atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
	atomic_store_explicit(&r->head, 0, memory_order_relaxed);
	r->magic = IPC_MAGIC;
}

int
ipc_ring_attach(struct ipc_ring *r, uint32_t want_nmsg, struct ipc_ring_end *ret_end)
{
	if (r->magic != IPC_MAGIC || r->version != IPC_VERSION ||
	    r->msg_size != sizeof(struct ipc_msg) || r->nmsg != want_nmsg)
		return (-EPROTO);
	ret_end->ring = r;
	ret_end->nmsg = want_nmsg;
	ret_end->peer = atomic_load_explicit(&r->head, memory_order_acquire);
	return (0);
}

int
ipc_ring_push(struct ipc_ring_end *e, const struct ipc_msg *m)
{
	struct ipc_ring *r = e->ring;
	/* Relaxed: only the producer, which we are, stores tail. */
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail - e->peer >= e->nmsg) {
		/* Acquire: a slot may be overwritten only after its reader is through with it. */
		e->peer = atomic_load_explicit(&r->head, memory_order_acquire);
		if (tail - e->peer > e->nmsg)
			return (-EPROTO);
		if (tail - e->peer == e->nmsg)
			return (-EAGAIN);
	}
	r->msg[tail & (e->nmsg - 1)] = *m;
	/* Release: seeing the new tail implies seeing the message behind it. */
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return (0);
}

int
ipc_ring_push_wait(struct ipc_ring_end *e, const struct ipc_msg *m)
{
	struct ipc_ring *r = e->ring;
	int error;

	while ((error = ipc_ring_push(e, m)) == -EAGAIN) {
		uint32_t head = e->peer;

		/*
		 * Say that we sleep, then look once more: the consumer stores head, then reads
		 * `waiting`; both sides sequentially consistent, so one of us sees the other.
		 */
		atomic_store(&r->waiting, 1);
		if (atomic_load(&r->head) == head)
			(void)syscall(SYS_futex, &r->head, FUTEX_WAIT, head, NULL, NULL, 0);
		atomic_store(&r->waiting, 0);
	}
	return (error);
}

int
ipc_ring_pop(struct ipc_ring_end *e, struct ipc_msg *ret_msg)
{
	struct ipc_ring *r = e->ring;
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	/* Our copy of tail is used up; or somebody has changed our head, and it is not to be believed. */
	if (e->peer - head - 1 >= e->nmsg) {
		uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

		/* Kept only when possible: a second call must not believe what the first refused. */
		if (tail - head > e->nmsg)
			return (-EPROTO);
		if (tail == head)
			return (-EAGAIN);
		e->peer = tail;
	}
	*ret_msg = r->msg[head & (e->nmsg - 1)];
	/* Sequentially consistent, for the hand-shake in push_wait. */
	atomic_store(&r->head, head + 1);
	if (atomic_load(&r->waiting) != 0)
		(void)syscall(SYS_futex, &r->head, FUTEX_WAKE, 1, NULL, NULL, 0);
	return (0);
}

uint32_t
ipc_ring_used(const struct ipc_ring_end *e)
{
	return (atomic_load_explicit(&e->ring->tail, memory_order_acquire) -
		atomic_load_explicit(&e->ring->head, memory_order_acquire));
}

void
ipc_ring_skip_dead(struct ipc_ring_end *e)
{
	e->peer = atomic_load(&e->ring->tail);
	atomic_store(&e->ring->head, e->peer);
}

void
ipc_ring_reset_dead(struct ipc_ring_end *e)
{
	/* The one case in which the producer stores head: nobody else is there to do it. */
	e->peer = atomic_load(&e->ring->tail);
	atomic_store(&e->ring->head, e->peer);
}
