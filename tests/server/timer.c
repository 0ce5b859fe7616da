/* SPDX-License-Identifier: ISC */
/*
 * timer.c -- things to do later, and the server's bandwidth (see timer.h).
 *
 * A binary heap under one mutex.  Latency is made here: a waiting request is a heap entry and a
 * suspended connection, never a thread.
 */
#include "tests/server/timer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/server/text.h"

struct job {
	uint64_t when_us, seq; /* seq keeps equal times in order */
	void (*fn)(void *);
	void *arg;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	pthread_t thread;
	struct job *heap;
	size_t n, cap;
	uint64_t seq;
	_Atomic bool stopping;
} timer = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

static bool
earlier(const struct job *a, const struct job *b)
{
	return (a->when_us != b->when_us ? a->when_us < b->when_us : a->seq < b->seq);
}

static void
swap(size_t i, size_t j)
{
	struct job t = timer.heap[i];

	timer.heap[i] = timer.heap[j];
	timer.heap[j] = t;
}

static void
push(struct job job)
{
	size_t i = timer.n;

	if (timer.n == timer.cap) {
		timer.cap = timer.cap ? timer.cap * 2 : 256;
		timer.heap = xrealloc(timer.heap, timer.cap * sizeof(*timer.heap));
	}
	timer.heap[timer.n++] = job;
	for (; i > 0 && earlier(&timer.heap[i], &timer.heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct job
pop(void)
{
	struct job top = timer.heap[0];
	size_t i = 0;

	timer.heap[0] = timer.heap[--timer.n];
	for (;;) {
		size_t small = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2; c++) {
			if (c < timer.n && earlier(&timer.heap[c], &timer.heap[small]))
				small = c;
		}
		if (small == i)
			return (top);
		swap(i, small);
		i = small;
	}
}

static void *
timer_main(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&timer.lock);
	for (;;) {
		struct timespec ts;
		struct job job;

		if (timer.n == 0) {
			if (timer.stopping)
				break;
			pthread_cond_wait(&timer.cond, &timer.lock);
			continue;
		}
		if (!timer.stopping && timer.heap[0].when_us > now_us()) {
			ts.tv_sec = (time_t)(timer.heap[0].when_us / 1000000);
			ts.tv_nsec = (long)(timer.heap[0].when_us % 1000000) * 1000;
			pthread_cond_timedwait(&timer.cond, &timer.lock, &ts);
			continue;
		}
		job = pop();
		pthread_mutex_unlock(&timer.lock);
		job.fn(job.arg);
		pthread_mutex_lock(&timer.lock);
	}
	pthread_mutex_unlock(&timer.lock);
	return (NULL);
}

void
timer_start(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&timer.cond, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&timer.thread, NULL, timer_main, NULL) != 0)
		abort();
}

void
timer_at(uint64_t when_us, void (*fn)(void *), void *arg)
{
	bool first;

	pthread_mutex_lock(&timer.lock);
	push((struct job){when_us, timer.seq++, fn, arg});
	first = timer.heap[0].arg == arg && timer.heap[0].fn == fn;
	pthread_mutex_unlock(&timer.lock);
	if (first || timer.stopping)
		pthread_cond_signal(&timer.cond);
}

void
timer_stop(void)
{
	pthread_mutex_lock(&timer.lock);
	timer.stopping = true;
	pthread_cond_signal(&timer.cond);
	pthread_mutex_unlock(&timer.lock);
	pthread_join(timer.thread, NULL);
	free(timer.heap);
	timer.heap = NULL;
}

bool
timer_stopping(void)
{
	return (timer.stopping);
}

uint64_t
pace_reserve(struct pace *p, uint64_t n)
{
	uint64_t rate = p->rate, now = now_us(), next = p->next_us, begin;

	if (rate == 0)
		return (now);
	do
		begin = next > now ? next : now;
	while (!atomic_compare_exchange_weak(&p->next_us, &next, begin + n * 1000000 / rate));
	return (begin + n * 1000000 / rate);
}
