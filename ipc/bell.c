/* SPDX-License-Identifier: ISC */
#include "ipc/bell.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/timeutil.h"

int
ipc_bell_init(struct ipc_bell *b, enum ipc_bell_kind kind)
{
	memset(b, 0, sizeof(*b));
	b->kind = kind;
	if (sem_init(&b->sem, 1, 0) < 0)
		return (-errno);
	return (0);
}

void
ipc_bell_ring(struct ipc_bell *b, int efd)
{
	static const uint64_t one = 1;

	/*
	 * `rung` keeps an owner from falling asleep; the post wakes one that already is.  Ringers
	 * do not trust each other's posts: one may have died between its two steps.
	 */
	(void)atomic_exchange(&b->rung, 1);
	if (atomic_load(&b->asleep) == 0)
		return;
	if (b->kind == IPC_BELL_EVENTFD)
		(void)!write(efd, &one, sizeof(one));
	else
		(void)sem_post(&b->sem);
}

void
ipc_bell_ring_by(struct ipc_bell *b, int efd, uint64_t by_us)
{
	uint64_t wake_us = atomic_load(&b->wake_us);

	/*
	 * 0: awake, and perhaps already past our ring, so it must be told to look once more (no
	 * system call in that).  Else it sleeps with an alarm, and looks at every ring after
	 * clearing it.
	 */
	if (wake_us == 0 || wake_us > by_us)
		ipc_bell_ring(b, efd);
}

void
ipc_bell_clear(struct ipc_bell *b, int efd)
{
	uint64_t n;

	atomic_store(&b->asleep, 0);
	if (b->kind == IPC_BELL_EVENTFD) {
		if (efd >= 0)
			(void)!read(efd, &n, sizeof(n));
	} else {
		while (sem_trywait(&b->sem) == 0)
			;
	}
	atomic_store(&b->wake_us, 0);
	/*
	 * Last, so that a ring from now on is kept.  An exchange, because reading the ringer's 1 is
	 * what makes its publication visible to the look that follows.
	 */
	(void)atomic_exchange(&b->rung, 0);
}

int
ipc_bell_may_sleep(struct ipc_bell *b, uint64_t deadline_us)
{
	atomic_store(&b->wake_us, deadline_us);
	atomic_store(&b->asleep, 1);
	if (atomic_load(&b->rung) == 0)
		return (1);
	atomic_store(&b->asleep, 0);
	return (0);
}

void
ipc_bell_wait(struct ipc_bell *b, uint64_t deadline_us)
{
	struct timespec ts;

	if (!ipc_bell_may_sleep(b, deadline_us))
		return;
	if (deadline_us == UINT64_MAX) {
		(void)sem_wait(&b->sem); /* EINTR: a signal is a reason to look */
	} else {
		ts.tv_sec = (time_t)(deadline_us / 1000000);
		ts.tv_nsec = (long)(deadline_us % 1000000) * 1000;
		(void)sem_clockwait(&b->sem, CLOCK_MONOTONIC, &ts);
	}
	atomic_store(&b->asleep, 0);
}
