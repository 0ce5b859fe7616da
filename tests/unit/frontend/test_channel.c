/* SPDX-License-Identifier: ISC */
/*
 * test_channel.c -- questions, answers, a full ring, a new cachemgr.
 */
#include <errno.h>

#include "common/timeutil.h"
#include "tests/unit/frontend/fixture.h"

#define NMSG	16
#define TICKETS (NMSG / 2)

static struct fixture f;
static struct outmsg q[40];
static struct outmsg *answered[40];
static int status[40];
static unsigned nanswered;

static void
on_answer(struct outmsg *out, int st, void *arg)
{
	(void)arg;
	status[nanswered] = st;
	answered[nanswered++] = out;
}

static void
ask(unsigned i)
{
	q[i].msg = (struct ipc_msg){.type = IPC_READ, .block = i, .slot = IPC_NO_SLOT, .len = 1};
	channel_ask(f.v.channel, &q[i]);
}

/* What cachemgr finds next; -1: nothing. */
static int
hear(struct ipc_msg *ret_msg)
{
	return (ipc_ring_pop(&f.in, ret_msg) == 0 ? (int)ret_msg->block : -1);
}

static void
answer(const struct ipc_msg *m, int st)
{
	struct ipc_msg r = {
	    .type = IPC_DONE, .req_id = m->req_id, .status = st, .slot = IPC_NO_SLOT};

	if (ipc_ring_push(&f.out, &r) < 0)
		abort();
}

static void
set_up(void)
{
	fixture_open(&f, 1000, 65536, 32, NMSG);
	nanswered = 0;
}

static unsigned
drain(void)
{
	return (channel_drain(f.v.channel, 100, on_answer, NULL));
}

static void
test_answers(void)
{
	struct ipc_msg a, b, junk;

	set_up();
	ask(1);
	ask(2);
	is_int(atomic_load(&f.cm_bell->rung), 1, "a question rings");
	ok(hear(&a) == 1 && hear(&b) == 2 && a.req_id != b.req_id, "questions arrive in order");
	answer(&b, -EIO);
	answer(&a, 0);
	is_int(drain(), 2, "two answers");
	ok(answered[0] == &q[2] && status[0] == -EIO && answered[1] == &q[1] && status[1] == 0,
	    "each to its question");
	is_int(channel_unanswered(f.v.channel), 0, "nothing is open");
	answer(&a, 0);
	(void)drain();
	ok(nanswered == 2 && ctr_get(f.env.counters, stale_messages) == 1,
	    "an answer that comes twice counts once");
	ask(3);
	(void)hear(&b);
	ok(b.req_id != a.req_id, "a ticket used again has another id");
	junk = b;
	junk.req_id ^= UINT64_C(1) << 48;
	answer(&junk, 0);
	(void)drain();
	ok(nanswered == 2 && ctr_get(f.env.counters, stale_messages) == 2,
	    "an answer to a frontend of another epoch is none");
	junk.req_id = UINT64_MAX;
	answer(&junk, 0);
	junk.type = IPC_READ;
	if (ipc_ring_push(&f.out, &junk) < 0)
		abort();
	(void)drain();
	ok(nanswered == 2 && ctr_get(f.env.counters, bad_messages) == 1, "nor is nonsense");
	fixture_close(&f);
}

static void
test_limit(void)
{
	struct ipc_msg m[40];
	unsigned got = 0;

	set_up();
	for (unsigned i = 0; i < 20; i++)
		ask(i);
	while (got < 40 && hear(&m[got]) >= 0)
		got++;
	is_int(got, TICKETS, "no more than half a ring is asked at once");
	is_int(channel_unanswered(f.v.channel), 20, "the rest waits");
	answer(&m[0], 0);
	(void)drain();
	(void)channel_tend(f.v.channel, now_us());
	ok(hear(&m[got]) == TICKETS, "an answer lets the next one go");
	for (unsigned round = 0; round < 40 && channel_unanswered(f.v.channel) > 0; round++) {
		for (unsigned i = round == 0 ? 1 : 0; i < got; i++)
			answer(&m[i], 0);
		if (round == 0)
			answer(&m[got], 0);
		(void)drain();
		(void)channel_tend(f.v.channel, now_us());
		for (got = 0; got < 40 && hear(&m[got]) >= 0; got++)
			;
	}
	is_int(nanswered, 20, "in the end all are answered");
	fixture_close(&f);
}

static void
test_full_ring(void)
{
	struct ipc_msg m;
	int order = 1;
	unsigned n = 0;

	set_up();
	for (unsigned i = 0; i < NMSG + 5; i++)
		channel_tell(f.v.channel, IPC_DIRTY, i, i, 1, 0);
	ok(channel_tend(f.v.channel, 1000) <= 1000 + 10000, "a full ring is looked at again soon");
	for (; n < 8; n++)
		order &= hear(&m) == (int)n && m.type == IPC_DIRTY;
	ask(30); /* there is room now, but not for overtaking */
	for (; n < NMSG; n++)
		order &= hear(&m) == (int)n && m.type == IPC_DIRTY;
	(void)channel_tend(f.v.channel, now_us());
	for (; n < NMSG + 5; n++)
		order &= hear(&m) == (int)n && m.type == IPC_DIRTY;
	ok(order, "announcements that found no room come later, in order");
	ok(hear(&m) == 30 && m.type == IPC_READ, "and the question after them");
	fixture_close(&f);
}

static void
test_new_cachemgr(void)
{
	struct ipc_msg m, again;
	uint64_t id;

	set_up();
	for (unsigned i = 0; i < 4; i++)
		ask(i);
	ok(hear(&m) == 0 && hear(&again) == 1, "it took two of four questions and died");
	id = m.req_id;
	atomic_fetch_add(&shm_proc(&f.shm, PROC_CACHEMGR)->epoch, 1);
	(void)channel_tend(f.v.channel, now_us());
	ok(hear(&m) == 2 && hear(&m) == 3, "its successor finds the other two");
	ok(hear(&again) == 0 && again.req_id == id && hear(&m) == 1 && hear(&m) == -1,
	    "and then those two again, and nothing twice");
	(void)channel_tend(f.v.channel, now_us());
	is_int(hear(&m), -1, "no more of it");
	answer(&again, 0);
	(void)drain();
	ok(nanswered == 1 && answered[0] == &q[0], "the answer finds its question");
	ok(channel_tend(f.v.channel, 1000) <= 1000 + 1000000,
	    "with questions open it looks for a new epoch at least each second");
	fixture_close(&f);
}

int
main(void)
{
	test_answers();
	test_limit();
	test_full_ring();
	test_new_cachemgr();
	return (tap_done());
}
