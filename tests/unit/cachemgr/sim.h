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
#include "common/cachelayout.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/proc_table.h"
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

/* ---- what must be true ------------------------------------------------------------------ */

/*
 * What a sub-block may hold.  Its content is one number, repeated; 0 is zeros.  h[0] is what it held
 * at the last completed flush, or at the start; h[n - 1] what the last change made of it.  After a
 * power loss each sector may hold any of h[0 .. n-1]; without one, only the last.
 */
#define HIST 4096
struct sub {
	uint32_t h[HIST];
	uint32_t n;	/* entries */
	uint32_t acked; /* of these, acknowledged */
	uint32_t snap;	/* acked when the flush under way began */
};
static struct sub model[BLOCKS][NSUB];
static uint32_t serial;
static uint32_t busy[BLOCKS]; /* operations that change this block and have not ended */

static uint32_t
now_value(uint32_t block, uint32_t sub)
{
	return (model[block][sub].h[model[block][sub].n - 1]);
}

static void
model_set(uint32_t block, uint32_t sub, uint32_t value)
{
	struct sub *s = &model[block][sub];

	if (s->n == HIST) { /* forget the middle: allowed values only ever become fewer */
		s->h[1] = s->h[HIST - 1];
		s->n = 2;
		s->acked = s->snap = 1;
	}
	s->h[s->n++] = value;
}

static void
model_acked(uint32_t block, uint32_t sub)
{
	model[block][sub].acked = model[block][sub].n;
}

static void
model_reset(uint32_t block, uint32_t sub, uint32_t value)
{
	model[block][sub] = (struct sub){.n = 1, .acked = 1, .snap = 1};
	model[block][sub].h[0] = value;
}

static void
flush_begins(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t i = 0; i < NSUB; i++)
			model[b][i].snap = model[b][i].acked;
}

/* Everything acknowledged when it began is there for good. */
static void
flush_ends(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t i = 0; i < NSUB; i++) {
			struct sub *s = &model[b][i];
			uint32_t drop = s->snap - 1;

			memmove(s->h, s->h + drop, (s->n - drop) * sizeof(s->h[0]));
			s->n -= drop;
			s->acked -= drop;
			s->snap = 1;
		}
}

static uint8_t bucket[BLOCKS][BSIZE];
static bool exists[BLOCKS];
static uint32_t version[BLOCKS]; /* its ETag: grows with every PUT */
static uint32_t versions;

/* ---- the world around cachemgr ----------------------------------------------------------- */

static struct shm shm;
static struct role_env env;
static struct cachemgr *cm;
static struct slot_table tab;
static struct ipc_ring_end fe_out, fe_in, up_in, up_out;
static int cache_fd = -1;
static uint64_t next_req;
static unsigned wrong;
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
	STEP_DROP
};
struct op { /* one frontend thread */
	enum op_kind kind;
	enum op_step step;
	uint32_t block, sub, count, value, slot;
	uint64_t req;
	bool first_dirty;
	uint16_t gen;
};
static struct op op[WRITERS];
static bool flushing;

static void
complain(const char *what, uint32_t block, uint32_t sub, uint32_t got, uint32_t want)
{
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
	    .arg = o->count};

	if (type != IPC_DIRTY)
		m.req_id = o->req = ++next_req;
	if (ipc_ring_push(&fe_out, &m) < 0)
		abort();
}

/* ---- the frontend, step by step ------------------------------------------------------------ */

static void
op_end(struct op *o)
{
	if (o->kind == OP_WRITE || o->kind == OP_TRIM)
		for (uint32_t i = 0; i < o->count; i++)
			busy[o->block + i]--;
	o->kind = OP_NONE;
	o->step = STEP_LOOK;
}

static void
read_step(struct op *o)
{
	struct ipc_hazard *line = &tab.hazard[o - op];
	bool sure;
	uint32_t slot = slot_table_find(&tab, o->block, &sure), got = 0;
	uint64_t h;

	if (slot == IPC_NO_SLOT) {
		if (!sure || !zero_reads_zero(zero_get(&tab, o->block))) {
			send_fe(IPC_READ, o, o->sub * SUB, SUB, IPC_NO_SLOT);
			o->step = STEP_WAIT;
			return;
		}
	} else {
		h = hazard_take(&tab, line, 0, slot, o->block, false);
		if (h == 0)
			return; /* look again */
		if (slot_valid_test(&tab.slot[slot], o->sub)) {
			got = value_at(slot, o->sub);
		} else if ((head_flags(h) & SLOT_F_ZBASE) == 0) {
			(void)hazard_drop(&tab, line, 0, slot);
			send_fe(IPC_READ, o, o->sub * SUB, SUB, IPC_NO_SLOT);
			o->step = STEP_WAIT;
			return;
		}
		(void)hazard_drop(&tab, line, 0, slot);
		if (rnd(2) == 0)
			atomic_fetch_add(&tab.slot[slot].touch, 1);
		if ((head_flags(h) & SLOT_F_MARK) != 0) {
			o->gen = head_gen(h);
			send_fe(IPC_AHEAD, o, 0, 0, slot);
		}
	}
	if (busy[o->block] == 0 && got != now_value(o->block, o->sub))
		complain("read", o->block, o->sub, got, now_value(o->block, o->sub));
	op_end(o);
}

static void
write_look(struct op *o)
{
	bool sure;
	uint64_t h;

	o->slot = slot_table_find(&tab, o->block, &sure);
	h = o->slot == IPC_NO_SLOT
		? 0
		: hazard_take(&tab, &tab.hazard[o - op], 0, o->slot, o->block, true);
	if (h == 0) {
		send_fe(IPC_WRITE, o, o->sub * SUB, SUB, IPC_NO_SLOT);
		o->step = STEP_WAIT;
		return;
	}
	o->gen = head_gen(h);
	o->step = STEP_SEQ;
}

static void
write_step(struct op *o)
{
	static uint32_t page[SUB / 4];
	struct ipc_slot *s = &tab.slot[o->slot];
	uint32_t old;

	switch (o->step) {
	case STEP_LOOK:
		write_look(o);
		return;
	case STEP_SEQ:
		old = atomic_fetch_add(&s->wseq, 1);
		o->first_dirty = old == atomic_load(&s->cseq);
		o->step = STEP_COPY;
		model_set(o->block, o->sub, o->value);
		return;
	case STEP_COPY:
		for (unsigned i = 0; i < SUB / 4; i++)
			page[i] = o->value;
		(void)pwrite_full(
		    cache_fd, page, SUB, (off_t)(shm_slot_off(&shm, o->slot) + o->sub * SUB));
		o->step = STEP_VALID;
		return;
	case STEP_VALID:
		slot_valid_set(s, o->sub, o->sub);
		o->step = STEP_DROP;
		return;
	case STEP_DROP:
		(void)hazard_drop(&tab, &tab.hazard[o - op], 0, o->slot);
		if (o->first_dirty)
			send_fe(IPC_DIRTY, o, 0, 0, o->slot);
		model_acked(o->block, o->sub);
		op_end(o);
		return;
	default:
		return;
	}
}

static void
trim_step(struct op *o)
{
	for (uint32_t b = 0; b < o->count; b++)
		for (uint32_t i = 0; i < NSUB; i++)
			model_set(o->block + b, i, 0);
	send_fe(IPC_TRIM, o, 0, 0, IPC_NO_SLOT);
	o->step = STEP_WAIT;
}

static bool
range_busy(uint32_t block, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (busy[block + i] > 0)
			return (true);
	return (false);
}

static void
op_begin(struct op *o)
{
	static const enum op_kind kinds[] = {
	    OP_WRITE, OP_WRITE, OP_WRITE, OP_READ, OP_READ, OP_READ, OP_READ, OP_TRIM, OP_FLUSH};

	o->kind = kinds[rnd(sizeof(kinds) / sizeof(kinds[0]))];
	o->step = STEP_LOOK;
	/* A hot corner and a run for the read-ahead. */
	o->block = rnd(3) == 0 ? rnd(6) : rnd(BLOCKS);
	o->sub = rnd(NSUB);
	o->count = 1;
	if (o->kind == OP_TRIM && rnd(3) == 0)
		o->count = 1 + rnd(BLOCKS - o->block);
	if (o->kind == OP_WRITE || o->kind == OP_TRIM) {
		/* One changer of a block at a time keeps the model exact. */
		if (range_busy(o->block, o->count)) {
			o->kind = OP_NONE;
			return;
		}
		for (uint32_t i = 0; i < o->count; i++)
			busy[o->block + i]++;
		o->value = ++serial;
	}
	if (o->kind == OP_FLUSH && flushing) { /* one at a time: the model has one snapshot */
		o->kind = OP_NONE;
	} else if (o->kind == OP_FLUSH) {
		flushing = true;
		flush_begins();
		send_fe(IPC_FLUSH, o, 0, 0, IPC_NO_SLOT);
		o->step = STEP_WAIT;
	}
}

static void
fe_step(struct op *o)
{
	if (o->step == STEP_WAIT)
		return;
	if (o->kind == OP_NONE)
		op_begin(o);
	else if (o->kind == OP_READ)
		read_step(o);
	else if (o->kind == OP_WRITE)
		write_step(o);
	else if (o->kind == OP_TRIM)
		trim_step(o);
}

static void
fe_replies(void)
{
	struct ipc_msg m;

	while (ipc_ring_pop(&fe_in, &m) == 0) {
		for (unsigned i = 0; i < WRITERS; i++) {
			struct op *o = &op[i];

			if (o->kind == OP_NONE || o->step != STEP_WAIT || o->req != m.req_id)
				continue;
			if (m.status < 0 && m.status != -EIO)
				complain("status", o->block, o->sub, (uint32_t)-m.status, 0);
			if (o->kind == OP_TRIM) {
				for (uint32_t b = 0; b < o->count * NSUB; b++)
					model_acked(o->block + b / NSUB, b % NSUB);
				op_end(o);
			} else if (o->kind == OP_FLUSH) {
				if (m.status == 0)
					flush_ends();
				flushing = false;
				op_end(o);
			} else {
				o->step = STEP_LOOK;
			}
		}
	}
}

/* ---- the bucket ----------------------------------------------------------------------------- */

static void
up_take(void)
{
	struct ipc_msg m;

	while (nheld < HELD && ipc_ring_pop(&up_in, &m) == 0) {
		if (m.type == IPC_PUT)
			(void)!pread(
			    cache_fd, frozen[nheld], BSIZE, (off_t)shm_slot_off(&shm, m.slot));
		held[nheld++] = m;
	}
}

/* What a DONE says about the object: ETag and checksum. */
static void
speak_of(uint64_t block, struct ipc_msg *reply)
{
	uint8_t crc[4];

	gcry_md_hash_buffer(GCRY_MD_CRC32, crc, bucket[block], BSIZE);
	reply->arg =
	    (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3];
	reply->flags |= IPC_F_HASCRC;
	memcpy(reply->etag, &version[block], sizeof(version[block]));
}

static void
put_object(const struct ipc_msg *m, unsigned i, struct ipc_msg *reply)
{
	static uint8_t now[BSIZE];

	(void)!pread(cache_fd, now, BSIZE, (off_t)shm_slot_off(&shm, m->slot));
	if (memcmp(now, frozen[i], BSIZE) != 0)
		complain("frozen slot changed", (uint32_t)m->block, 0, 0, 0);
	for (uint32_t sub = 0; sub < NSUB; sub++)
		if (!slot_valid_test(&tab.slot[m->slot], sub)) {
			if ((m->flags & IPC_F_ZBASE) == 0)
				complain(
				    "upload of an incomplete block", (uint32_t)m->block, sub, 0, 0);
			memset(now + sub * SUB, 0, SUB);
		}
	memcpy(bucket[m->block], now, BSIZE);
	version[m->block] = ++versions;
	speak_of(m->block, reply);
	exists[m->block] = false;
	for (uint32_t k = 0; k < BSIZE; k++)
		exists[m->block] |= now[k] != 0;
	if (!exists[m->block])
		reply->flags |= IPC_F_ZERO;
}

static void
get_object(const struct ipc_msg *m, struct ipc_msg *reply)
{
	if (!exists[m->block])
		reply->flags |= IPC_F_ZERO;
	else {
		speak_of(m->block, reply);
		(void)!pwrite(
		    cache_fd, bucket[m->block], BSIZE, (off_t)shm_slot_off(&shm, m->slot));
	}
}

static void
list_objects(const struct ipc_msg *m)
{
	for (uint32_t b = 0; b < BLOCKS; b++) {
		struct ipc_msg l = {.type = IPC_LISTED,
		    .req_id = m->req_id,
		    .block = b,
		    .arg = 1,
		    .slot = IPC_NO_SLOT};

		memcpy(l.etag, &version[b], sizeof(version[b]));
		if (exists[b])
			(void)ipc_ring_push(&up_out, &l);
	}
}

/* Answer one request, not always the oldest, not always well. */
static void
up_answer(void)
{
	struct ipc_msg reply = {.type = IPC_DONE, .slot = IPC_NO_SLOT};
	unsigned i;

	if (nheld == 0)
		return;
	i = rnd(nheld);
	if ((held[i].flags & IPC_F_MORE) != 0 && held[i].type == IPC_DELETE) {
		/* A run of a batch: done at once, answered with the last one. */
		for (uint32_t k = 0; k < held[i].arg; k++)
			exists[held[i].block + k] = false;
		goto out;
	}
	reply.req_id = held[i].req_id;
	for (unsigned k = 0; k < nheld; k++)
		if (k != i && held[k].req_id == held[i].req_id)
			return; /* its runs first */
	if (rnd(20) == 0)
		reply.status = -EIO;
	else if (held[i].type == IPC_PUT)
		put_object(&held[i], i, &reply);
	else if (held[i].type == IPC_GET)
		get_object(&held[i], &reply);
	else if (held[i].type == IPC_LIST)
		list_objects(&held[i]);
	else if (held[i].type == IPC_DELETE)
		for (uint32_t k = 0; k < held[i].arg; k++)
			exists[held[i].block + k] = false;
	if (ipc_ring_push(&up_out, &reply) < 0)
		abort();
out:
	held[i] = held[--nheld];
	memcpy(frozen[i], frozen[nheld], BSIZE);
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

static void
open_cm(void)
{
	int r;

	cm = calloc(1, sizeof(*cm));
	env.fd[ROLE_FD_CACHE] = cache_fd;
	if (cm == NULL || (r = cachemgr_open(cm, &env)) < 0)
		abort();
	cache_fd = cm->cache_fd;
}

static void
world_open(uint64_t seed)
{
	const char *const opts[] = {"bucket=sim", "mountPoint=/nowhere", "size=655360",
	    "blockSize=16k", "blockCacheSize=12", "blockCacheWriteDelay=0", "maxTransfers=6",
	    "debug=yes", sim_cache_file != NULL ? sim_cache_file : "flushTo=bucket", NULL};
	struct shm_geometry g;
	char *error = NULL;

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
	if (conf_load(NULL, opts, &env.conf, &error) < 0) {
		printf("# %s\n", error);
		abort();
	}
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

/* Let everything come to rest: all operations end, all is in the bucket. */
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
		/* Failed transfers pause for a second; the test does not. */
		for (struct bop *b = TAILQ_FIRST(&cm->retry_wait); b != NULL;
		     b = TAILQ_NEXT(b, retry))
			b->retry_us = 0;
		cm->pend_retry_us = cm->survey_retry_us = 0;
		if (idle && ipc_ring_used(&fe_out) == 0 && cm->ndirty == 0 && cm->npending == 0 &&
		    cm->reads_inflight == 0)
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
