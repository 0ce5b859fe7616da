/* SPDX-License-Identifier: ISC */
/*
 * test_sim.c -- the cache manager under a random schedule: every order of events that the rings allow.
 *
 *	test_sim.t [SEED [STEPS [deaths]]]	one run; without arguments a fixed set of seeds
 */
#include "tests/unit/cachemgr/sim.h"

static void
kill_one(void)
{
	static const char *only; /* S3B_SIM_KILL=f, u or c: one kind, to narrow a failure down */
	uint32_t what = rnd(3);

	if (only == NULL)
		only = getenv("S3B_SIM_KILL") != NULL ? getenv("S3B_SIM_KILL") : "fuc";
	if (what == 0 && strchr(only, 'f') != NULL)
		kill_frontend();
	else if (what == 1 && strchr(only, 'u') != NULL)
		kill_uploader();
	else if (what == 2 && strchr(only, 'c') != NULL)
		kill_cachemgr();
}

static void
run(uint64_t seed, uint32_t steps, bool deaths)
{
	wrong = 0;
	world_open(seed);
	for (uint32_t n = 0; n < steps && wrong == 0; n++) {
		uint32_t what = rnd(100);

		if (what < 45)
			fe_step(&op[rnd(WRITERS)]);
		else if (what < 70)
			(void)cachemgr_turn(cm);
		else if (what < 80)
			up_take();
		else if (what < 92)
			up_answer();
		else if (what < 99)
			fe_replies();
		else if (deaths && rnd(8) == 0)
			kill_one();
		let_time_pass();
	}
	ok(settle(), "seed %llu: everything comes to rest in the bucket", (unsigned long long)seed);
	compare_bucket();
	is_int(wrong, 0, "seed %llu: every read, upload and object as the model says%s",
	    (unsigned long long)seed, deaths ? ", with deaths" : "");
	ok(cm->nbops == 0, "seed %llu: no block operation is left over", (unsigned long long)seed);
	sim_close();
}

static unsigned
answers(void)
{
	struct ipc_msg m;
	unsigned n = 0;

	while (ipc_ring_pop(&fe_in, &m) == 0)
		n++;
	return (n);
}

/* All ask in one turn, and none of them has written when the next one is answered. */
static void
crowd(void)
{
	struct op o = {.kind = OP_WRITE};
	unsigned n;

	world_open(1);
	for (o.block = 1; o.block <= SLOTS; o.block++)
		send_fe(IPC_WRITE, &o, 0, SUB, IPC_NO_SLOT);
	(void)cachemgr_turn(cm);
	n = answers();
	is_int(n, cm->max_dirty, "as many writers are let in as blocks may be dirty");
	for (unsigned i = 0; i < 10; i++)
		(void)cachemgr_turn(cm);
	is_int(answers(), 0, "the others wait for those to write");
	ok(atomic_load(&cm->st->dirty_full) != 0, "and so do writers into clean blocks");
	let_time_pass();
	(void)cachemgr_turn(cm);
	is_int(n + answers(), SLOTS, "who was let in and does not write, holds nobody up for long");
	sim_close();
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	uint32_t steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 30000;

	if (seed != 0) {
		run(seed, steps, argc > 3);
		return (tap_done());
	}
	for (seed = 1; seed <= 20; seed++)
		run(seed, steps, seed > 10);
	crowd();
	return (tap_done());
}
