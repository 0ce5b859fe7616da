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
		for (struct bop *b = TAILQ_FIRST(&cm->retry_wait); b != NULL;
		     b = TAILQ_NEXT(b, retry))
			b->retry_us = 0;
		cm->pend_retry_us = cm->survey_retry_us = 0;
	}
	ok(settle(), "seed %llu: everything comes to rest in the bucket", (unsigned long long)seed);
	compare_bucket();
	is_int(wrong, 0, "seed %llu: every read, upload and object as the model says%s",
	    (unsigned long long)seed, deaths ? ", with deaths" : "");
	ok(cm->nbops == 0, "seed %llu: no block operation is left over", (unsigned long long)seed);
	conf_free(env.conf);
	shm_detach(&shm);
	close(cache_fd);
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
	return (tap_done());
}
