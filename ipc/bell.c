/* SPDX-License-Identifier: ISC */
#include "ipc/bell.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/timeutil.h"

/* ---- the semaphore -------------------------------------------------------------------------- */
/*
 * Of our own, because a peer gone mad can write into it: glibc ends the process that finds a sem_t in
 * such a state.  Here any value is a count, and what the kernel answers does not matter.
 */
static void
sem_up(_Atomic uint32_t *count)
{
	(void)atomic_fetch_add(count, 1);
	(void)syscall(SYS_futex, count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Until it is up, a signal comes, or the deadline. */
static void
sem_down(_Atomic uint32_t *count, uint64_t deadline_us)
{
	struct timespec ts = {.tv_sec = (time_t)(deadline_us / US_PER_S),
	    .tv_nsec = (long)(deadline_us % US_PER_S) * 1000};

	if (atomic_load(count) == 0)
		(void)syscall(SYS_futex, count, FUTEX_WAIT_BITSET, 0,
		    deadline_us == UINT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
	(void)atomic_exchange(count, 0);
}

/* ---- the bell ------------------------------------------------------------------------------- */
int
ipc_bell_init(struct ipc_bell *b, enum ipc_bell_kind kind)
{
	memset(b, 0, sizeof(*b));
	b->kind = kind;
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
	if (efd >= 0)
		(void)!write(efd, &one, sizeof(one));
	else
		sem_up(&b->sem);
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
	/* What kind it is we know ourselves. */
	if (efd >= 0)
		(void)!read(efd, &n, sizeof(n));
	else
		(void)atomic_exchange(&b->sem, 0);
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
	if (!ipc_bell_may_sleep(b, deadline_us))
		return;
	sem_down(&b->sem, deadline_us); /* EINTR: a signal is a reason to look */
	atomic_store(&b->asleep, 0);
}
