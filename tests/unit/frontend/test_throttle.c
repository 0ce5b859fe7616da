/* SPDX-License-Identifier: ISC */
/*
 * test_throttle.c -- the virtual clock and the order of held replies.  Time is an argument here.
 */
#include <stdlib.h>

#include "frontend/throttle.h"
#include "tests/unit/tap.h"

#define MIB   (UINT64_C(1) << 20)
#define NEVER UINT64_MAX

static unsigned acted, order_ok = 1;
static uint64_t last_due;

static void
act(void *arg)
{
	uint64_t due = (uint64_t)(uintptr_t)arg;

	order_ok &= due >= last_due;
	last_due = due;
	acted++;
}

static void
test_clock(void)
{
	struct throttle *t;
	uint64_t now = 1000000, due = 0, bytes = 0;

	if (throttle_open(&t) < 0)
		abort();
	is_int(throttle_admit(t, 0, 100 * MIB, now), 0, "no limit, no wait");
	/* 10 MB/s: 100,000 bytes are 10 ms. */
	is_int(
	    throttle_admit(t, 10000000, 100000, now), now + 10000, "a write waits for its bytes");
	is_int(throttle_admit(t, 10000000, 100000, now), now + 20000, "the next behind it");
	now += 1000000;
	is_int(throttle_admit(t, 10000000, 100000, now), now + 10000, "idle time is not saved up");
	now += 1000000;
	is_int(throttle_admit(t, 10000000, 5000, now), 0, "half a millisecond is not worth it");
	is_int(throttle_admit(t, 10000000, 10000, now), now + 1500, "but it is owed");
	is_int(throttle_admit(t, 1000, 100 * MIB, now), now + THROTTLE_MOST_US,
	    "no wait is longer "
	    "than the longest");
	is_int(throttle_admit(t, 1000, 100 * MIB, now), now + THROTTLE_MOST_US, "however many");
	/* One writer that waits for each reply, for 10 s. */
	now += 10 * 1000000;
	for (uint64_t end = now + 10 * 1000000; now < end; bytes += 65536) {
		due = throttle_admit(t, 20000000, 65536, now);
		now = due > now ? due : now + 50;
	}
	ok(bytes > 198 * UINT64_C(1000000) && bytes < 202 * UINT64_C(1000000),
	    "20 MB/s for ten seconds: %ju bytes", (uintmax_t)bytes);
	throttle_close(&t);
	throttle_close(&t);
}

static void
test_heap(void)
{
	struct throttle *t;
	uint64_t first = NEVER;

	if (throttle_open(&t) < 0)
		abort();
	srandom(3);
	is_int(throttle_run(t, 100), NEVER, "nothing held, nothing due");
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t due = 1 + (uint64_t)random() % 1000000;
		int r = throttle_hold(t, due, act, (void *)(uintptr_t)due);

		if ((r == 1) != (due <= first))
			order_ok = 0;
		first = due < first ? due : first;
	}
	ok(order_ok, "who becomes the first to be due is told so");
	is_int(throttle_run(t, first - 1), first, "not due yet: when");
	is_int(acted, 0, "and nothing is done");
	for (uint64_t now = 0; now <= 1000000; now += 500)
		(void)throttle_run(t, now);
	ok(order_ok && acted == 5000, "5,000 replies held: all, in order of time");
	is_int(throttle_run(t, NEVER - 1), NEVER, "and nothing is left");
	throttle_close(&t);
}

int
main(void)
{
	test_clock();
	test_heap();
	return (tap_done());
}
