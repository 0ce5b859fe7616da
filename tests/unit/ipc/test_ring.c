/* SPDX-License-Identifier: ISC */
/*
 * test_ring.c -- the message ring: bounds, wrap, hostile indices, two threads, two processes, death.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/ring.h"
#include "tests/unit/tap.h"

#define NMSG 64

static struct ipc_ring *
new_ring(uint32_t nmsg)
{
	struct ipc_ring *r = mmap(
	    NULL, ipc_ring_bytes(nmsg), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		abort();
	ipc_ring_init(r, nmsg);
	return (r);
}

/* A message every field of which follows from n, so that a torn one is seen. */
static struct ipc_msg
msg(uint64_t n)
{
	struct ipc_msg m = {.req_id = n,
	    .block = n * 3,
	    .arg = ~n,
	    .slot = (uint32_t)n,
	    .slot_gen = (uint32_t)(n >> 7),
	    .off = (uint32_t)n ^ 5,
	    .len = (uint32_t)n ^ 9,
	    .type = IPC_DONE,
	    .flags = (uint16_t)n,
	    .status = (int32_t)n};

	memset(m.etag, (int)(n & 0xff), sizeof(m.etag));
	return (m);
}

static int
is_msg(const struct ipc_msg *m, uint64_t n)
{
	struct ipc_msg want = msg(n);

	return (memcmp(m, &want, sizeof(want)) == 0);
}

static void
test_bounds(void)
{
	struct ipc_ring *r = new_ring(NMSG);
	struct ipc_ring_end p, c;
	struct ipc_msg m = msg(0);
	int r1 = 0, good = 1;

	is_int(ipc_ring_attach(r, NMSG * 2, &p), -EPROTO, "a ring of another length is refused");
	r->msg_size = 32;
	is_int(ipc_ring_attach(r, NMSG, &p), -EPROTO, "a ring of other messages is refused");
	r->msg_size = sizeof(m);
	r->magic++;
	is_int(ipc_ring_attach(r, NMSG, &p), -EPROTO, "what is no ring is refused");
	r->magic--;
	ok(ipc_ring_attach(r, NMSG, &p) == 0 && ipc_ring_attach(r, NMSG, &c) == 0, "attached");
	is_int(ipc_ring_pop(&c, &m), -EAGAIN, "an empty ring has nothing");
	for (uint64_t i = 0; i < NMSG && r1 == 0; i++) {
		m = msg(i);
		r1 = ipc_ring_push(&p, &m);
	}
	is_int(r1, 0, "as many messages as it has room for go in");
	is_int(ipc_ring_push(&p, &m), -EAGAIN, "one more does not");
	is_int(ipc_ring_used(&p), NMSG, "used says full");
	for (uint64_t i = 0; i < NMSG; i++)
		good &= ipc_ring_pop(&c, &m) == 0 && is_msg(&m, i);
	ok(good, "they come out whole and in order");
	is_int(ipc_ring_used(&c), 0, "used says empty");
	is_int(ipc_ring_pop(&c, &m), -EAGAIN, "and then there is nothing again");
}

static void
test_wrap(void)
{
	struct ipc_ring *r = new_ring(NMSG);
	struct ipc_ring_end p, c;
	struct ipc_msg m;
	uint64_t in = 0, out = 0;
	int good = 1;

	/* The indices run free: start a little before they pass 2^32. */
	atomic_store(&r->tail, UINT32_MAX - 100);
	atomic_store(&r->head, UINT32_MAX - 100);
	ok(ipc_ring_attach(r, NMSG, &p) == 0 && ipc_ring_attach(r, NMSG, &c) == 0, "attached");
	c.peer = p.peer = UINT32_MAX - 100;
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 1 + round % NMSG; i++) {
			m = msg(in);
			if (ipc_ring_push(&p, &m) == 0)
				in++;
		}
		for (unsigned i = 0; i < 1 + (round * 7) % NMSG; i++)
			if (ipc_ring_pop(&c, &m) == 0)
				good &= is_msg(&m, out++);
	}
	while (ipc_ring_pop(&c, &m) == 0)
		good &= is_msg(&m, out++);
	ok(good && in == out && in > 1000, "%ju messages across the wrap of the indices",
	    (uintmax_t)in);
}

static void
test_hostile(void)
{
	struct ipc_ring *r = new_ring(NMSG);
	struct ipc_ring_end p, c;
	struct ipc_msg m = msg(1);

	ok(ipc_ring_attach(r, NMSG, &p) == 0 && ipc_ring_attach(r, NMSG, &c) == 0, "attached");
	atomic_store(&r->tail, NMSG + 1);
	is_int(ipc_ring_pop(&c, &m), -EPROTO, "more messages than fit: refused, nothing read");
	is_int(ipc_ring_pop(&c, &m), -EPROTO, "and again");
	atomic_store(&r->tail, UINT32_MAX);
	is_int(ipc_ring_pop(&c, &m), -EPROTO, "a tail behind the head: refused");
	atomic_store(&r->tail, 0);
	is_int(ipc_ring_pop(&c, &m), -EAGAIN, "a tail that is right again: usable");
	for (unsigned i = 0; i < NMSG; i++)
		(void)ipc_ring_push(&p, &m);
	atomic_store(&r->head, NMSG + 5);
	is_int(ipc_ring_push(&p, &m), -EPROTO, "a head before the tail: refused");
	is_int(ipc_ring_push_wait(&p, &m), -EPROTO, "and not waited for");
}

/* ---- two at once ----------------------------------------------------------------------- */
struct pair {
	struct ipc_ring *ring;
	uint64_t n;
	int wait;
};

static void *
produce(void *arg)
{
	struct pair *x = arg;
	struct ipc_ring_end p;

	if (ipc_ring_attach(x->ring, NMSG, &p) < 0)
		abort();
	for (uint64_t i = 0; i < x->n; i++) {
		struct ipc_msg m = msg(i);

		if (x->wait)
			(void)ipc_ring_push_wait(&p, &m);
		else
			while (ipc_ring_push(&p, &m) == -EAGAIN)
				sched_yield();
	}
	return (NULL);
}

/* Number of good messages in order. */
static uint64_t
consume(struct ipc_ring *r, uint64_t n)
{
	struct ipc_ring_end c;
	struct ipc_msg m;
	uint64_t i = 0;

	if (ipc_ring_attach(r, NMSG, &c) < 0)
		abort();
	while (i < n) {
		int e = ipc_ring_pop(&c, &m);

		if (e == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (e < 0 || !is_msg(&m, i))
			break;
		i++;
	}
	return (i);
}

static void
test_threads(int wait)
{
	struct pair x = {.ring = new_ring(NMSG), .n = 300000, .wait = wait};
	pthread_t t;

	if (pthread_create(&t, NULL, produce, &x) != 0)
		abort();
	is_int(consume(x.ring, x.n), x.n, "two threads, producer %s",
	    wait ? "sleeps while it is full" : "tries again");
	(void)pthread_join(t, NULL);
}

static void
test_processes(int wait)
{
	struct pair x = {.ring = new_ring(NMSG), .n = 300000, .wait = wait};
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		(void)produce(&x);
		_exit(0);
	}
	is_int(consume(x.ring, x.n), x.n, "two processes, producer %s",
	    wait ? "sleeps while it is full" : "tries again");
	(void)waitpid(pid, &status, 0);
	is_int(status, 0, "the producer ended well");
}

static void
test_death(void)
{
	struct pair x = {.ring = new_ring(NMSG), .n = UINT64_MAX};
	struct ipc_ring_end c, p;
	struct ipc_msg m;
	uint64_t next = 0;
	int good = 1;

	(void)ipc_ring_attach(x.ring, NMSG, &c);
	for (unsigned round = 0; round < 50 && good; round++) {
		uint64_t stop = next + 500 + round * 37, first = 0;
		pid_t pid = fork();

		if (pid == 0) {
			(void)produce(&x); /* from 0 in each life */
			_exit(0);
		}
		/* Killed anywhere: what was published is whole, and nothing is missing before it. */
		while (next < stop)
			if (ipc_ring_pop(&c, &m) == 0) {
				good &= is_msg(&m, first++);
				next++;
			}
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		while (ipc_ring_pop(&c, &m) == 0) {
			good &= is_msg(&m, first++);
			next++;
		}
	}
	ok(good, "50 producers killed while pushing: every message whole, none missing");
	ok(ipc_ring_attach(x.ring, NMSG, &p) == 0, "a successor attaches");
	m = msg(7);
	ok(ipc_ring_push(&p, &m) == 0 && ipc_ring_pop(&c, &m) == 0 && is_msg(&m, 7),
	    "and goes on where the dead left off");
}

int
main(void)
{
	test_bounds();
	test_wrap();
	test_hostile();
	test_threads(0);
	test_threads(1);
	test_processes(0);
	test_processes(1);
	test_death();
	return (tap_done());
}
