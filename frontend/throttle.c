/* SPDX-License-Identifier: ISC */
#include "frontend/throttle.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "frontend/guard.h"

struct held {
	uint64_t due;
	void (*act)(void *);
	void *arg;
};

struct throttle {
	_Atomic uint64_t clock_ns; /* virtual; nanoseconds, because a sector takes few us */
	pthread_mutex_t lock;	   /* heap */
	struct held *heap;	   /* binary, the soonest first */
	size_t n, room;
};

int
throttle_open(struct throttle **ret_throttle)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return (-ENOMEM);
	(void)pthread_mutex_init(&t->lock, NULL);
	*ret_throttle = t;
	return (0);
}

void
throttle_close(struct throttle **tp)
{
	if (*tp == NULL)
		return;
	free((*tp)->heap);
	free(*tp);
	*tp = NULL;
}

uint64_t
throttle_admit(struct throttle *t, uint64_t rate, uint64_t bytes, uint64_t now)
{
	uint64_t now_ns = now * 1000, cost, was, to;

	if (rate == 0)
		return (0);
	cost = (uint64_t)((double)bytes * 1e9 / (double)rate);
	was = atomic_load_explicit(&t->clock_ns, memory_order_relaxed);
	do {
		/* Idle time is not saved up: the clock starts from now at the latest. */
		to = max_u64(was, now_ns) + cost;
		to = min_u64(to, now_ns + THROTTLE_MOST_US * UINT64_C(1000));
	} while (!atomic_compare_exchange_weak_explicit(
	    &t->clock_ns, &was, to, memory_order_relaxed, memory_order_relaxed));
	to /= 1000;
	return (to > now + THROTTLE_SLACK_US ? to : 0);
}

static void
sift_up(struct held *h, size_t i)
{
	for (; i > 0 && h[i].due < h[(i - 1) / 2].due; i = (i - 1) / 2) {
		struct held x = h[i];

		h[i] = h[(i - 1) / 2];
		h[(i - 1) / 2] = x;
	}
}

static void
sift_down(struct held *h, size_t n)
{
	size_t i = 0, c;

	while ((c = 2 * i + 1) < n) {
		struct held x = h[i];

		if (c + 1 < n && h[c + 1].due < h[c].due)
			c++;
		if (x.due <= h[c].due)
			return;
		h[i] = h[c];
		h[c] = x;
		i = c;
	}
}

int
throttle_hold(struct throttle *t, uint64_t due, void (*act)(void *), void *arg)
{
	int first;

	(void)pthread_mutex_lock(&t->lock);
	if (t->n == t->room) {
		size_t room = t->room == 0 ? 64 : t->room * 2;
		struct held *h = reallocarray(t->heap, room, sizeof(*h));

		if (h == NULL) {
			(void)pthread_mutex_unlock(&t->lock);
			return (-ENOMEM);
		}
		t->heap = h;
		t->room = room;
	}
	t->heap[t->n] = (struct held){due, act, arg};
	sift_up(t->heap, t->n++);
	first = t->heap[0].due == due;
	(void)pthread_mutex_unlock(&t->lock);
	return (first);
}

uint64_t
throttle_run(struct throttle *t, uint64_t now)
{
	uint64_t next = TIME_NEVER;

	(void)pthread_mutex_lock(&t->lock);
	while (t->n > 0) {
		struct held h = t->heap[0];

		if (h.due > now) {
			next = h.due;
			break;
		}
		t->heap[0] = t->heap[--t->n];
		sift_down(t->heap, t->n);
		/* Answering is a system call, and may hold the next: not under the lock. */
		(void)pthread_mutex_unlock(&t->lock);
		h.act(h.arg);
		(void)pthread_mutex_lock(&t->lock);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return (next);
}
