/* SPDX-License-Identifier: ISC */
/*
 * sim.h -- a tiny disk around the real cache manager: a frontend that follows rules H1 to H6 in single
 * steps, a bucket that answers in any order and sometimes with an error, deaths, and a model of what
 * every sub-block may hold.  Included by test_sim.c and, with SIM_POWER, by test_power.c.
 *
 * 40 blocks of 4 sub-blocks, 12 slots: eviction, freezing, copies, merges, trims and batches of deletes
 * meet each other all the time.  The bucket checks that a slot does not change while it is
 * uploaded.  slots_check() runs after every turn (debug = yes).
 */
#ifndef S3B_TESTS_SIM_H
#define S3B_TESTS_SIM_H

#include <errno.h>
#include <gcrypt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/cachelayout.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/proc_table.h"
#include "ipc/write_log.h"
#include "tests/unit/tap.h"
#ifdef SIM_POWER
#include "common/durable.h"
#include "tests/unit/cachemgr/crashfs.h"
#endif

/* Each of the two tests uses its part of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define BLOCKS	40u
#define SLOTS	12u
#define SUB	4096u
#define NSUB	4u
#define BSIZE	(SUB * NSUB)
#define WRITERS 3
#define HELD	64

static uint64_t rng;

static uint32_t
rnd(uint32_t n)
{
	rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((uint32_t)(rng >> 33) % n);
}

#include "tests/unit/cachemgr/sim_model.h"

/* ---- the world around cachemgr ----------------------------------------------------------- */

static struct shm shm;
static struct role_env env;
static struct cachemgr *cm;
static struct slot_table tab;
static struct ipc_ring_end fe_out, fe_in, up_in, up_out;
static int cache_fd = -1;
static uint64_t next_req;
static unsigned wrong;
static bool sim_holds_puts;	   /* the bucket takes nothing, and answers everything else */
static bool sim_faults = true;	   /* requests fail now and then */
static bool sim_loses_notes;	   /* every ring of notes is full */
static bool sim_silent;		   /* where a peer lies on purpose, that is no news */
static struct conf *sim_conf;	   /* for all worlds; NULL: each has its own */
static const char *sim_cache_file; /* "blockCacheFile=...", NULL: a memory cache */

static struct ipc_msg held[HELD]; /* requests the uploader has, not answered */
static unsigned nheld;
static uint8_t frozen[HELD][BSIZE];

enum op_kind {
	OP_NONE,
	OP_WRITE,
	OP_READ,
	OP_TRIM,
	OP_FLUSH
};
enum op_step {
	STEP_LOOK,
	STEP_WAIT,
	STEP_SEQ,
	STEP_COPY,
	STEP_VALID,
	STEP_NOTE,
	STEP_DROP
};
struct op { /* one frontend thread */
	enum op_kind kind;
	enum op_step step;
	uint32_t block, sub, count, value, slot;
	uint64_t req;
	uint32_t lost_before;
	bool first_dirty;
	uint16_t gen;
};
static struct op op[WRITERS];
static bool flushing;

static void
complain(const char *what, uint32_t block, uint32_t sub, uint32_t got, uint32_t want)
{
	if (!sim_silent)
		printf("# %s: block %u sub %u: got %u, want %u\n", what, block, sub, got, want);
	wrong++;
}

static uint32_t
value_at(uint32_t slot, uint32_t sub)
{
	uint32_t v[2] = {0};

	(void)!pread(cache_fd, &v[0], 4, (off_t)(shm_slot_off(&shm, slot) + sub * SUB));
	(void)!pread(cache_fd, &v[1], 4, (off_t)(shm_slot_off(&shm, slot) + sub * SUB + SUB - 4));
	return (v[0] == v[1] ? v[0] : UINT32_MAX);
}

static void
send_fe(uint16_t type, struct op *o, uint32_t off, uint32_t len, uint32_t slot)
{
	struct ipc_msg m = {.type = type,
	    .block = o->block,
	    .off = off,
	    .len = len,
	    .slot = slot,
	    .slot_gen = o->gen,
	    .arg = type == IPC_DIRTY ? o->lost_before : o->count};

	if (type != IPC_DIRTY)
		m.req_id = o->req = ++next_req;
	if (ipc_ring_push(&fe_out, &m) < 0)
		abort();
}

#include "tests/unit/cachemgr/sim_frontend.h"

#include "tests/unit/cachemgr/sim_bucket.h"

/* One turn, and the commits that it begins, to their end. */
static void
sim_turn(void)
{
	(void)cachemgr_turn(cm);
	while (cm->commit != NULL && commit_busy(cm)) {
		if (commit_take_job(cm))
			commit_run(cm);
		(void)cachemgr_turn(cm);
	}
	if (cm->commit != NULL && cm->commit->checkpoint.running && rnd(30) == 0 &&
	    atomic_load(&cm->commit->checkpoint.done) == 0)
		checkpoint_run(cm);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void
attach_all(void)
{
	(void)ipc_ring_attach(shm_ring(&shm, SHM_RING_FE_CM, 0), shm.geo.ring_msgs, &fe_out);
	(void)ipc_ring_attach(shm_ring(&shm, SHM_RING_CM_FE, 0), shm.geo.ring_msgs, &fe_in);
	(void)ipc_ring_attach(shm_ring(&shm, SHM_RINGS_CM_UP, 0), shm.geo.ring_msgs, &up_in);
	(void)ipc_ring_attach(shm_ring(&shm, SHM_RINGS_UP_CM, 0), shm.geo.ring_msgs, &up_out);
}

static void
tell(uint32_t dead)
{
	struct ipc_msg m = {.type = IPC_DEAD, .off = dead, .slot = IPC_NO_SLOT}, r;
	struct ipc_ring_end sup_out, sup_in;

	(void)ipc_ring_attach(shm_ring(&shm, SHM_RING_SUP_CM, 0), shm.geo.ring_msgs, &sup_out);
	(void)ipc_ring_attach(shm_ring(&shm, SHM_RING_CM_SUP, 0), shm.geo.ring_msgs, &sup_in);
	(void)ipc_ring_push(&sup_out, &m);
	for (int i = 0; i < 1000 && ipc_ring_used(&sup_in) == 0; i++)
		(void)cachemgr_turn(cm);
	while (ipc_ring_pop(&sup_in, &r) == 0)
		;
}

static void
kill_frontend(void)
{
	/* The kernel sends its requests again: here, they begin anew. */
	for (unsigned i = 0; i < WRITERS; i++)
		if (op[i].kind != OP_NONE)
			op[i].step = STEP_LOOK;
	tell(PROC_FRONTEND);
	for (unsigned i = 0; i < WRITERS; i++)
		if (op[i].kind == OP_FLUSH)
			op[i].kind = OP_NONE;
	flushing = false;
	attach_all();
}

static void
kill_uploader(void)
{
	nheld = 0;
	tell(PROC_UPLOADER0);
	attach_all();
}

static void open_cm(void);

/* Its private memory is gone; the uploaders are replaced with it, the frontend sends again. */
static void
kill_cachemgr(void)
{
	struct ipc_msg m;

	nheld = 0;
	while (ipc_ring_pop(&up_in, &m) == 0)
		;
	free(cm); /* and all it owned: leaked on purpose, as by a death */
	env.epoch++;
	open_cm();
	attach_all();
	for (unsigned i = 0; i < WRITERS; i++)
		if (op[i].kind != OP_NONE && op[i].step == STEP_WAIT) {
			op[i].step = STEP_LOOK;
			if (op[i].kind == OP_FLUSH) {
				op[i].kind = OP_NONE;
				flushing = false;
			}
		}
}

/* ---- a run ------------------------------------------------------------------------------------ */

static int ctl_pair[2] = {-1, -1};

/* A new socket to s3backerd; what lay unread in the old one, descriptors too, is closed. */
static bool
ctl_open(void)
{
	if (ctl_pair[0] >= 0) {
		close(ctl_pair[0]);
		close(ctl_pair[1]);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ctl_pair) < 0)
		return (false);
	env.ctl_fd = ctl_pair[0];
	return (true);
}

static int
try_cm(void)
{
	int r;

	cm = calloc(1, sizeof(*cm));
	env.fd[ROLE_FD_CACHE] = cache_fd;
	if (cm == NULL)
		abort();
	if ((r = cachemgr_open(cm, &env)) < 0)
		return (r);
	cm->part_bytes = SUB;
	cm->send_passed = true; /* passed.c, though a delay is given */
	if (cm->commit != NULL)
		cm->commit->checkpoint.enough = 4 * SUB;
	cache_fd = cm->cache_fd;
	cm->quiet_until_us = 0; /* in this world nothing lands late */
	return (0);
}

static void
open_cm(void)
{
	if (try_cm() < 0)
		abort();
}

static struct conf *
sim_load(void)
{
	const char *const opts[] = {"bucket=sim", "mountPoint=/nowhere", "size=655360",
	    "blockSize=16k", "blockCacheSize=12", "blockCacheWriteDelay=0", "maxTransfers=6",
	    "debug=yes", sim_cache_file != NULL ? sim_cache_file : "flushTo=bucket", NULL};
	struct conf *conf = NULL;
	char *error = NULL;

	if (conf_load(NULL, opts, &conf, &error) < 0) {
		printf("# %s\n", error);
		abort();
	}
	return (conf);
}

static void
world_open(uint64_t seed)
{
	struct shm_geometry g;

	log_open("sim", "/dev/null", "err", false); /* errors are made on purpose, by the hundred */
	rng = seed * 2654435761u + 1;
	memset(&env, 0, sizeof(env));
	flushing = false;
	memset(busy, 0, sizeof(busy));
	memset(exists, 0, sizeof(exists));
	memset(op, 0, sizeof(op));
	nheld = 0;
	cache_fd = -1;
	for (unsigned i = 0; i < ROLE_NFDS; i++)
		env.fd[i] = -1;
	env.conf = sim_conf != NULL ? sim_conf : sim_load();
	if (shm_plan(&g, BLOCKS, BSIZE, SLOTS, 1, 6) < 0)
		abort();
	g.data_off = sim_cache_file != NULL ? cache_data_off(SLOTS) : 0;
	if (shm_create(&g, &shm) < 0 || !ctl_open())
		abort();
	env.shm = &shm;
	env.proc = PROC_CACHEMGR;
	env.epoch = 1;
	env.me = shm_proc(&shm, PROC_CACHEMGR);
	env.bell = shm_bell(&shm, PROC_CACHEMGR);
	env.state = shm_state(&shm);
	env.counters = shm_counters(&shm, PROC_CACHEMGR);
	slot_table_attach(&tab, &shm);
	/* Some objects are there from before. */
	for (uint32_t b = 0; b < BLOCKS; b++) {
		for (uint32_t s = 0; s < NSUB; s++)
			model_reset(b, s, 0);
		if (rnd(2) == 0)
			continue;
		exists[b] = true;
		version[b] = ++versions;
		for (uint32_t s = 0; s < NSUB; s++) {
			model_reset(b, s, ++serial);
			for (uint32_t k = 0; k < SUB; k += 4)
				memcpy(&bucket[b][s * SUB + k], &serial, 4);
		}
	}
	open_cm();
	attach_all();
}

static void
sim_close(void)
{
	conf_free(env.conf);
	shm_detach(&shm);
	close(cache_fd);
}

/* Let everything come to rest: all operations end, all is in the bucket. */
/* Failed transfers pause for a second, promises hold for one; the test does not wait. */
static void
let_time_pass(void)
{
	struct bop *b;

	TAILQ_FOREACH (b, &cm->retry_wait, retry)
		b->retry_us = 0;
	TAILQ_FOREACH (b, &cm->promised, promise)
		b->promised_us = 0;
	cm->pend_retry_us = cm->survey_retry_us = 0;
}

static bool
settle(void)
{
	for (uint32_t n = 0; n < 200000; n++) {
		bool idle = nheld == 0;

		(void)cachemgr_turn(cm);
		up_take();
		up_answer();
		fe_replies();
		for (unsigned i = 0; i < WRITERS; i++) {
			if (op[i].kind != OP_NONE)
				fe_step(&op[i]);
			idle &= op[i].kind == OP_NONE;
		}
		let_time_pass();
		if (idle && ipc_ring_used(&fe_out) == 0 && cm->ndirty == 0 && cm->npending == 0 &&
		    cm->npromised == 0 && cm->reads_inflight == 0)
			return (true);
	}
	return (false);
}

static void
compare_bucket(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t s = 0; s < NSUB; s++) {
			uint32_t v = 0;

			if (exists[b])
				memcpy(&v, &bucket[b][s * SUB], 4);
			if (v != now_value(b, s))
				complain("bucket", b, s, v, now_value(b, s));
		}
}

#endif
