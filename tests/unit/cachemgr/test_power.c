/* SPDX-License-Identifier: ISC */
/*
 * test_power.c -- power cuts in the middle of everything, with the real journal, commit and recovery.
 *
 *	test_power.t [SEED [CUTS]]	one seed; without arguments a fixed set
 *
 * A run is a chain of cuts: after each, the image that is left is recovered by a new cache manager in a
 * fresh segment, everything goes to the bucket, and each sector of each block must be a value that the
 * model allows: what was there at the last completed flush, or anything written since (P3), never
 * another block's bytes (P1).  The work then goes on from there.
 *
 * A commit is written in the turn in which it was begun, so a seed is the same run every time.
 */
#define SIM_POWER
#include "cachemgr/commit_impl.h"
#include "common/check.h"
#include "tests/unit/cachemgr/sim.h"

/* A machine that loses its power frees nothing, and a dead world here neither. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return ("detect_leaks=0");
}

static char cache_path[] = "/tmp/s3b-power-XXXXXX";

static void
steps_until_cut(void)
{
	while (!crash.cut && wrong == 0) {
		uint32_t what = rnd(100);

		if (what < 45)
			fe_step(&op[rnd(WRITERS)]);
		else if (what < 70)
			sim_turn();
		else if (what < 80)
			up_take();
		else if (what < 92)
			up_answer();
		else if (!crash.cut)
			fe_replies();
		for (struct bop *b = TAILQ_FIRST(&cm->retry_wait); b != NULL;
		     b = TAILQ_NEXT(b, retry))
			b->retry_us = 0;
		cm->pend_retry_us = cm->survey_retry_us = 0;
	}
}

/* Requests on their way when the power went: the bucket may have got them or not. */
static void
lose_requests(void)
{

	for (unsigned i = 0; i < nheld; i++) {
		if (rnd(2) == 0)
			continue;
		if (held[i].type == IPC_DELETE) {
			for (uint32_t k = 0; k < held[i].arg; k++)
				exists[held[i].block + k] = false;
		} else if (held[i].type == IPC_PUT) {
			for (uint32_t sub = 0; sub < NSUB; sub++)
				if (!slot_valid_test(&tab, held[i].slot, sub))
					memset(frozen[i] + sub * SUB, 0, SUB);
			memcpy(bucket[held[i].block], frozen[i], BSIZE);
			version[held[i].block] = ++versions;
			exists[held[i].block] = true;
		}
	}

	nheld = 0;
}

static void
forget_file(void)
{
	if (cm->commit != NULL && cm->commit->file.direct_fd >= 0)
		close(cm->commit->file.direct_fd);
}

/* The machine is off; what it had in memory is gone. */
static void
power_off(void)
{
	forget_file();
	lose_requests();
	(void)!pwrite(cache_fd, crash.image, crash.image_len, 0);
	crash.on = false;
	crash.nold = 0;
	memset(op, 0, sizeof(op));
	memset(busy, 0, sizeof(busy));
	flushing = false;
	close(cache_fd);
	shm_detach(&shm);
	cm = NULL;
}

/* False: the cache file is refused, which is right for a disk that lies about fdatasync, and no other. */
static bool
power_on(void)
{
	struct shm_geometry g;
	int r;

	if (!ctl_open() || shm_plan(&g, BLOCKS, BSIZE, SLOTS, 1, 6) < 0)
		abort();
	g.data_off = cache_data_off(SLOTS);
	if (shm_create(&g, &shm) < 0)
		abort();
	env.shm = &shm;
	env.epoch = 1;
	env.me = shm_proc(&shm, PROC_CACHEMGR);
	env.bell = shm_bell(&shm, PROC_CACHEMGR);
	env.state = shm_state(&shm);
	env.counters = shm_counters(&shm, PROC_CACHEMGR);
	slot_table_attach(&tab, &shm);
	cache_fd = -1;
	if ((r = try_cm()) < 0 && (!crash.lie || r != -EUCLEAN))
		abort();
	if (r == 0)
		attach_all();
	return (r == 0);
}

/* Each sector old or new; afterwards the model knows which. */
static void
check_bucket(unsigned cut)
{
	for (uint32_t b = 0; b < BLOCKS && wrong == 0; b++)
		for (uint32_t s = 0; s < NSUB; s++) {
			for (uint32_t k = 0; k < SUB; k += CRASH_SECTOR) {
				const struct sub *m = &model[b][s];
				uint32_t v = 0, i;

				if (exists[b])
					memcpy(&v, &bucket[b][s * SUB + k], 4);
				for (i = 0; i < m->n && m->h[i] != v; i++)
					;
				if (i == m->n) {
					printf(
					    "# cut %u: block %u sub %u sector %u: got %u, allowed",
					    cut, b, s, k / CRASH_SECTOR, v);
					for (i = 0; i < m->n && i < 8; i++)
						printf(" %u", m->h[i]);
					printf("\n");
					wrong++;
					return;
				}
			}
		}
}

/*
 * Everything is clean now.  Stop, start again with the cache file, let the listing compare, and look at
 * every block that is cached then: it must be the bucket's, byte for byte.  Some objects have been
 * changed by another machine meanwhile.
 */
static unsigned
check_kept(unsigned cut, bool stop_well)
{
	static uint8_t bytes[BSIZE];
	unsigned kept = 0;

	if (stop_well) {
		commit_final(cm, 0);
		while (commit_busy(cm))
			sim_turn();
	}
	forget_file();
	close(cache_fd);
	shm_detach(&shm);
	for (uint32_t b = 0; b < BLOCKS; b++)
		if (exists[b] && rnd(8) == 0) {
			memset(bucket[b], 0x5a, BSIZE);
			version[b] = ++versions;
		}
	power_on();
	for (uint32_t n = 0; n < 200; n++) {
		sim_turn();
		up_take();
		up_answer();
		cm->survey_retry_us = 0;
	}
	for (uint32_t b = 0; b < BLOCKS; b++) {
		struct bop *bop = bop_get(cm, b);

		/* A record that had not ended yet makes it dirty again, which the token protects. */
		if (bop->cur == IPC_NO_SLOT || slot_dirty(cm_slot(cm, bop->cur)))
			continue;
		kept++;
		(void)!pread(cache_fd, bytes, BSIZE, (off_t)shm_slot_off(&shm, bop->cur));
		for (uint32_t s = 0; s < NSUB; s++) {
			if (!slot_valid_test(&tab, bop->cur, s))
				memset(bytes + s * SUB, 0, SUB);
			if (memcmp(bytes + s * SUB, bucket[b] + s * SUB, SUB) != 0)
				complain("kept block is not the bucket's", b, s, cut, 0);
		}
	}
	return (kept);
}

/* Torn sub-blocks cannot be told by one number: write them whole before going on. */
static void
start_over(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++) {
		exists[b] = rnd(2) == 0;
		for (uint32_t s = 0; s < NSUB; s++) {
			uint32_t v = exists[b] ? ++serial : 0;

			model_reset(b, s, v);
			for (uint32_t k = 0; k < SUB; k += 4)
				memcpy(&bucket[b][s * SUB + k], &v, 4);
		}
	}
}

static void
new_world(uint64_t seed)
{
	static char file_opt[64];

	(void)unlink(cache_path);
	(void)snprintf(file_opt, sizeof(file_opt), "blockCacheFile=%s", cache_path);
	sim_cache_file = file_opt;
	world_open(seed);
	start_over();
}

/* Until the bucket has everything. */
static void
come_to_rest(unsigned cut)
{
	for (uint32_t n = 0; n < 20000 && (cm->ndirty > 0 || cm->npending > 0 || nheld > 0); n++) {
		sim_turn();
		up_take();
		up_answer();
		for (struct bop *b = TAILQ_FIRST(&cm->retry_wait); b != NULL;
		     b = TAILQ_NEXT(b, retry))
			b->retry_us = 0;
		cm->pend_retry_us = cm->survey_retry_us = 0;
	}
	if (cm->ndirty > 0 || cm->npending > 0)
		complain("does not come to rest", cut, 0, cm->ndirty, 0);
}

static void
end_world(void)
{
	forget_file();
	close(cache_fd);
	shm_detach(&shm);
	conf_free(env.conf);
}

static void
run(uint64_t seed, unsigned cuts, bool expect_wrong)
{
	unsigned recovered = 0, kept = 0;

	wrong = 0;
	for (unsigned cut = 0; cut < cuts && wrong == 0; cut++) {
		crash.no_direct = seed % 3 == 0;
		new_world(seed * 1000 + cut);
		crash.rng = seed * 7919 + cut;
		crash.ops = 0;
		crash.cut_at = 5 + rnd(600);
		crash.direct_ends = seed % 3 == 1 ? crash_rnd() % 600 : UINT64_MAX;
		crash.cut = false;
		crash.on = true;
		steps_until_cut();
		power_off();
		if (!power_on()) {
			wrong++;
			shm_detach(&shm);
			break;
		}
		recovered += cm->ndirty;
		come_to_rest(cut);
		check_bucket(cut);
		kept += check_kept(cut, cut % 2 == 0);
		end_world();
	}
	if (expect_wrong)
		ok(wrong > 0, "seed %llu: a disk that ignores fdatasync is found out",
		    (unsigned long long)seed);
	else
		is_int(wrong, 0,
		    "seed %llu: %u power cuts, each sector old or new (%u dirty blocks recovered, "
		    "%u clean ones kept)",
		    (unsigned long long)seed, cuts, recovered, kept);
	(void)unlink(cache_path);
}

/* ---- a mark that was taken too early -------------------------------------------------------- */

static void
begin(struct op *o, enum op_kind kind, uint32_t block, uint32_t sub)
{
	o->kind = kind;
	o->step = STEP_LOOK;
	o->block = block;
	o->sub = sub;
	o->count = 1;
	if (kind == OP_WRITE) {
		busy[block]++;
		o->value = ++serial;
	}
}

static void
until_done(struct op *o)
{
	for (unsigned n = 0; n < 1000 && o->kind != OP_NONE; n++) {
		fe_step(o);
		sim_turn();
		up_take();
		up_answer();
		fe_replies();
	}
	if (o->kind != OP_NONE)
		complain("does not end", o->block, o->sub, o->kind, OP_NONE);
}

static void
flush_by(struct op *o)
{
	o->kind = OP_FLUSH;
	o->step = STEP_WAIT;
	flushing = true;
	flush_begins();
	send_fe(IPC_FLUSH, o, 0, 0, IPC_NO_SLOT);
	until_done(o);
}

/*
 * A write into a clean block loses its note, a commit takes the mark of that, and only then cachemgr hears
 * that the block is dirty.  The next write has its note.  The record must name both.
 */
static void
lost_note(void)
{
	struct op *first = &op[0], *other = &op[1];
	const uint32_t block = 7;

	wrong = 0;
	crash.no_direct = false;
	sim_faults = false;
	new_world(4242);
	exists[block] = true;
	cm->write_delay_us = UINT64_C(3600000000);
	cm->send_passed = false;
	for (uint32_t s = 0; s < NSUB; s++) {
		model_reset(block, s, ++serial);
		for (uint32_t k = 0; k < SUB; k += 4)
			memcpy(&bucket[block][s * SUB + k], &serial, 4);
	}
	crash.ops = 0;
	crash.cut_at = UINT64_MAX;
	crash.cut = false;
	crash.on = crash.forgets_all = true;
	begin(first, OP_READ, block, 0);
	until_done(first);
	flush_by(other); /* the first commit of all is a sync */
	begin(first, OP_WRITE, block, 1);
	while (wrong == 0 && first->step != STEP_NOTE)
		fe_step(first);
	sim_loses_notes = true;
	fe_step(first);
	sim_loses_notes = false;
	flush_by(other);
	fe_step(first); /* DIRTY, and the answer */
	sim_turn();
	begin(first, OP_WRITE, block, 2);
	until_done(first);
	flush_by(other);
	crash_cut(cache_fd);
	power_off();
	if (!power_on())
		abort();
	is_int(cm->ndirty, 1, "a block was written and is recovered");
	come_to_rest(0);
	check_bucket(0);
	is_int(wrong, 0, "with the write whose note was lost, too");
	crash.forgets_all = false;
	sim_faults = true;
	end_world();
	(void)unlink(cache_path);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	unsigned cuts = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 10;

	if (mkstemp(cache_path) < 0)
		return (1);
	if (seed != 0) {
		run(seed, cuts, false);
		return (tap_done());
	}
	lost_note();
	for (seed = 1; seed <= 10; seed++)
		run(seed, cuts, false);
	crash.lie = true;
	run(99, 200, true);
	return (tap_done());
}
