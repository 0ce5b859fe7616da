/* SPDX-License-Identifier: ISC */
#include "uploader/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "uploader/guard.h"

#define EVENTS_PER_TURN 128

static int
timer_cmp(const struct timer *a, const struct timer *b)
{
	if (a->when != b->when)
		return (a->when < b->when ? -1 : 1);
	return (a->seq < b->seq ? -1 : a->seq > b->seq);
}
RB_PROTOTYPE_INTERNAL(timer_tree, timer, link, timer_cmp, static __attribute__((unused)));
RB_GENERATE_INTERNAL(timer_tree, timer, link, timer_cmp, static __attribute__((unused)))

int
loop_open(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	RB_INIT(&l->timers);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return (l->epfd < 0 ? -errno : 0);
}

void
loop_close(struct loop *l)
{
	if (l->epfd >= 0)
		close(l->epfd);
	l->epfd = -1;
}

int
loop_source(struct loop *l, loop_ready_fn *ready, void *arg)
{
	MUST(l->nsources < LOOP_SOURCES);
	l->source[l->nsources].ready = ready;
	l->source[l->nsources].arg = arg;
	return ((int)l->nsources++);
}

int
loop_watch(struct loop *l, int source, int fd, uint32_t events)
{
	/* The number of the source and the descriptor, never a pointer that may be stale. */
	struct epoll_event ev = {
	    .events = events, .data.u64 = (uint64_t)source << 32 | (uint32_t)fd};

	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) == 0)
		return (0);
	if (errno != ENOENT || epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return (-errno);
	return (0);
}

void
loop_unwatch(struct loop *l, int fd)
{
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
}

void
loop_timer_set(struct loop *l, struct timer *t, uint64_t when)
{
	loop_timer_clear(l, t);
	t->when = when;
	t->seq = l->seq++;
	t->armed = true;
	RB_INSERT(timer_tree, &l->timers, t);
}

void
loop_timer_clear(struct loop *l, struct timer *t)
{
	if (t->armed)
		RB_REMOVE(timer_tree, &l->timers, t);
	t->armed = false;
}

uint64_t
loop_next(const struct loop *l)
{
	const struct timer *t = RB_MIN(timer_tree, (struct timer_tree *)(uintptr_t)&l->timers);

	return (t != NULL ? t->when : TIME_NEVER);
}

static int
run_timers(struct loop *l)
{
	uint64_t now = now_us(), last = l->seq;
	struct timer *t;
	int n = 0;

	/* Timers set by these handlers wait for the next turn, or we might never leave. */
	while ((t = RB_MIN(timer_tree, &l->timers)) != NULL && t->when <= now && t->seq < last) {
		loop_timer_clear(l, t);
		t->run(t->arg);
		n++;
	}
	return (n);
}

int
loop_turn(struct loop *l, uint64_t deadline)
{
	struct epoll_event ev[EVENTS_PER_TURN];
	int n;

	deadline = min_u64(deadline, loop_next(l));
	n = epoll_wait(l->epfd, ev, EVENTS_PER_TURN, deadline_left_ms(deadline));
	for (int i = 0; i < n; i++) {
		unsigned s = (unsigned)(ev[i].data.u64 >> 32);

		l->source[s].ready(l->source[s].arg, (int)(uint32_t)ev[i].data.u64, ev[i].events);
	}
	return ((n > 0 ? n : 0) + run_timers(l));
}
