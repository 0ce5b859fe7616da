/* SPDX-License-Identifier: ISC */
/* test_limit.c -- a bandwidth limit of several processes together, in simulated time. */
#include <stdlib.h>

#include "ipc/pool.h"
#include "tests/unit/tap.h"
#include "uploader/bandwidth.h"

#define SECOND UINT64_C(1000000)
#define START  (1000 * SECOND)
#define PIECE  65536

/* What `n` processes that always have something to send get through from START to START + span. */
static uint64_t
greedy(struct ipc_limit *l, unsigned n, uint64_t span)
{
	uint64_t wake[8] = {0}, sent = 0;

	for (uint64_t now = START; now < START + span; now += 250)
		for (unsigned p = 0; p < n; p++) {
			uint64_t wait;

			if (now < wake[p])
				continue;
			if ((wait = bandwidth_wait(l, now)) > 0) {
				wake[p] = now + wait;
				continue;
			}
			bandwidth_spend(l, now, PIECE);
			sent += PIECE;
		}
	return (sent);
}

static void
exact(void)
{
	for (unsigned n = 1; n <= 8; n *= 2) {
		struct ipc_limit l = {.bps = 80 * 1000 * 1000};
		uint64_t sent = greedy(&l, n, 20 * SECOND), want = 20 * 10 * 1000 * 1000;

		ok(sent >= want - 2 * PIECE && sent <= want + want / 200 + n * PIECE,
		    "%u processes, 20 s at 10 MB/s: %llu bytes", n, (unsigned long long)sent);
	}
}

/* All see that the line is free and take at once: the debt is paid afterwards. */
static void
race(void)
{
	struct ipc_limit l = {.bps = 8 * 1000 * 1000};
	uint64_t sent = 0, end = START;

	for (unsigned round = 0; round < 100; round++) {
		while (bandwidth_wait(&l, end) > 0)
			end += bandwidth_wait(&l, end);
		for (unsigned p = 0; p < 16; p++, sent += PIECE)
			bandwidth_spend(&l, end, PIECE);
	}
	ok(sent <= (end - START) + 100000 + 16 * PIECE, "sixteen at a time: %llu bytes in %llu us",
	    (unsigned long long)sent, (unsigned long long)(end - START));
}

static void
corners(void)
{
	struct ipc_limit l = {.bps = 0};
	uint64_t at;

	bandwidth_spend(&l, START, PIECE);
	ok(bandwidth_wait(&l, START) == 0 && atomic_load(&l.free_ns) == 0, "no limit, no account");
	atomic_store(&l.bps, 8000);
	bandwidth_spend(&l, START, 100);
	is_int(bandwidth_wait(&l, START), 0, "a tenth of a second is saved up");
	bandwidth_spend(&l, START, PIECE);
	is_int(bandwidth_wait(&l, START), BANDWIDTH_LOOK_US, "who waits for long looks again soon");
	at = atomic_load(&l.free_ns);
	bandwidth_spend(&l, START, 500);
	bandwidth_spend(&l, START, -500);
	is_int(atomic_load(&l.free_ns), at, "what was not used is given back");
	atomic_store(&l.bps, 0);
	is_int(bandwidth_wait(&l, START), 0, "a limit that is lifted holds nobody");
	atomic_store(&l.bps, 8000);
	atomic_store(&l.free_ns, UINT64_MAX / 2);
	is_int(bandwidth_wait(&l, START), 0, "nor does a damaged word");
	bandwidth_spend(&l, START, 100);
	is_int(atomic_load(&l.free_ns), START * 1000 + 100000000, "which is put right");
}

int
main(void)
{
	exact();
	race();
	corners();
	return (tap_done());
}
