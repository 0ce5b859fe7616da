/* SPDX-License-Identifier: ISC */
/*
 * cache_image.h -- a used cache file in memory, and what the real recovery makes of changed copies of it.
 *
 * The file is a memfd, opened by cachemgr under its name in /proc; the world around it is the simulation of
 * tests/unit/cachemgr/sim.h, whose model knows what every sub-block may hold.  image_use() makes a file by
 * work of a seed and keeps it twice: as it was half way (`old`) and at its end (`base`).  image_open() lets a
 * new cachemgr recover from whatever lies in the memfd then; image_read() reads a sub-block as a frontend
 * does.  Everything that a cachemgr takes is given back by image_close() (tests/fuzz/ledger.h).
 *
 * One thread; commits are written in the turn in which they were begun.
 */
#ifndef S3B_TESTS_HOSTILE_CACHE_IMAGE_H
#define S3B_TESTS_HOSTILE_CACHE_IMAGE_H

#define SIM_POWER
#include "tests/unit/cachemgr/sim.h"

#include "cachemgr/cachefile.h"
#include "cachemgr/journal.h"
#include "tests/fuzz/ledger.h"

#define PAGE	  4096u
#define PAGES_MAX 2048u

struct image { /* pages that are not all zero */
	uint64_t size;
	uint32_t npages;
	uint32_t *page;
	uint8_t *bytes;
};

enum image_end {
	END_NOT,   /* killed, or the power went, with nothing lost */
	END_DIRTY, /* stopped with --keep-dirty */
	END_CLEAN, /* stopped, all in the bucket */
	IMAGE_ENDS
};

static int image_fd = -1;
static char image_opt[64];
static struct image base, old;
static uint8_t bucket_then[BLOCKS][BSIZE];
static bool exists_then[BLOCKS];
static uint32_t version_then[BLOCKS];

static void
turn(void)
{
	sim_turn();
	for (struct bop *b = TAILQ_FIRST(&cm->retry_wait); b != NULL; b = TAILQ_NEXT(b, retry))
		b->retry_us = 0;
	cm->pend_retry_us = cm->survey_retry_us = 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void
image_keep(struct image *im)
{
	static const uint8_t nothing[PAGE];
	uint8_t page[PAGE];
	off_t at = 0;

	free(im->page);
	free(im->bytes);
	im->size = (uint64_t)lseek(image_fd, 0, SEEK_END);
	im->npages = 0;
	/* Not malloc(3), which the ledger would take back. */
	im->page = aligned_alloc(PAGE, PAGES_MAX * sizeof(*im->page));
	im->bytes = aligned_alloc(PAGE, PAGES_MAX * PAGE);
	if (im->page == NULL || im->bytes == NULL)
		abort();
	while ((at = lseek(image_fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(image_fd, at, SEEK_HOLE);

		for (; at < end; at += PAGE) {
			if (pread(image_fd, page, PAGE, at) != PAGE)
				abort();
			if (memcmp(page, nothing, PAGE) == 0)
				continue;
			if (im->npages == PAGES_MAX)
				abort();
			memcpy(im->bytes + (size_t)im->npages * PAGE, page, PAGE);
			im->page[im->npages++] = (uint32_t)(at / PAGE);
		}
	}
}

static void
image_put(const struct image *im)
{
	if (ftruncate(image_fd, 0) < 0 || ftruncate(image_fd, (off_t)im->size) < 0)
		abort();
	for (uint32_t i = 0, n; i < im->npages; i += n) {
		for (n = 1; i + n < im->npages && im->page[i + n] == im->page[i] + n; n++)
			;
		if (pwrite(image_fd, im->bytes + (size_t)i * PAGE, (size_t)n * PAGE,
			(off_t)im->page[i] * PAGE) != (ssize_t)n * PAGE)
			abort();
	}
}

/* ---- a file that has been used -------------------------------------------------------------- */

static void
world_close(void)
{
	if (cache_fd >= 0)
		close(cache_fd);
	cache_fd = -1;
	ledger_end();
	shm_detach(&shm);
	cm = NULL;
}

static void
work(uint32_t steps)
{
	while (steps-- > 0) {
		uint32_t what = rnd(100);

		if (what < 45)
			fe_step(&op[rnd(WRITERS)]);
		else if (what < 70)
			turn();
		else if (what < 75)
			up_take();
		else if (what < 90)
			up_answer();
		else
			fe_replies();
	}
}

/* What was begun ends, so that the model knows what is in the file; no more uploads than chance makes. */
static void
come_to_rest(void)
{
	bool idle = false;

	for (unsigned n = 0; n < (sim_holds_puts ? 200 : 20000) && !idle; n++) {
		idle = true;
		for (unsigned i = 0; i < WRITERS; i++)
			if (op[i].kind != OP_NONE) { /* with a full cache it may wait for ever */
				fe_step(&op[i]);
				idle = false;
			}
		turn();
		up_take();
		up_answer();
		fe_replies();
	}
}

/* Only what comes after it may be lost. */
static void
flush(void)
{
	struct op o = {.kind = OP_FLUSH};

	flush_begins();
	send_fe(IPC_FLUSH, &o, 0, 0, IPC_NO_SLOT);
	for (unsigned n = 0; n < 1000; n++) {
		struct ipc_msg m;

		turn();
		while (ipc_ring_pop(&fe_in, &m) == 0)
			if (m.req_id == o.req && m.status == 0) {
				flush_ends();
				return;
			}
	}
	abort();
}

static void
image_use(uint64_t seed, enum image_end end)
{
	if (image_fd < 0) {
		image_fd = memfd_create("cache", MFD_CLOEXEC);
		(void)snprintf(
		    image_opt, sizeof(image_opt), "blockCacheFile=/proc/self/fd/%d", image_fd);
		sim_cache_file = image_opt;
		sim_conf = sim_load();
	}
	if (image_fd < 0 || ftruncate(image_fd, 0) < 0)
		abort();
	sim_silent = sim_faults = sim_holds_puts = false;
	serial = versions = 0;
	ledger_begin();
	world_open(seed);
	work(1500 + rnd(1500));
	come_to_rest();
	flush();
	work(300);
	image_keep(&old);
	work(1000 + rnd(1000));
	sim_holds_puts = end != END_CLEAN;
	work(200 + rnd(400));
	come_to_rest();
	flush();
	if (end == END_NOT && rnd(2) == 0) {
		work(200);
		come_to_rest();
	}
	if (end == END_CLEAN && !settle())
		abort();
	if (end != END_NOT) {
		if (end == END_DIRTY)
			cm->stopping = cm->keep_dirty = true;
		commit_final(cm, 0);
		while (commit_busy(cm))
			turn();
	}
	sim_holds_puts = false;
	image_keep(&base);
	memcpy(bucket_then, bucket, sizeof(bucket));
	memcpy(exists_then, exists, sizeof(exists));
	memcpy(version_then, version, sizeof(version));
	world_close();
}

/* ---- recovery ------------------------------------------------------------------------------- */

/* 0; 1: refused, for ledger_why. */
static int
image_open(void)
{
	struct shm_geometry g;
	int r;

	memcpy(bucket, bucket_then, sizeof(bucket));
	memcpy(exists, exists_then, sizeof(exists));
	memcpy(version, version_then, sizeof(version));
	memset(op, 0, sizeof(op));
	memset(busy, 0, sizeof(busy));
	nheld = 0;
	flushing = false;
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
	ledger_begin();
	ledger_catches = true;
	if (setjmp(ledger_fail) != 0) {
		ledger_catches = false;
		return (1);
	}
	r = try_cm();
	ledger_catches = false;
	if (r < 0) {
		(void)snprintf(ledger_why, sizeof(ledger_why), "%s", strerror(-r));
		return (1);
	}
	attach_all();
	return (0);
}

static void
image_close(void)
{
	if (cache_fd < 0 && cm != NULL && cm->cache_fd > 0)
		cache_fd = cm->cache_fd;
	world_close();
}

static int
ask(uint32_t block, uint32_t sub)
{
	struct op o = {.block = block, .sub = sub};
	struct ipc_msg m;

	send_fe(IPC_READ, &o, sub * SUB, SUB, IPC_NO_SLOT);
	for (unsigned n = 0; n < 2000; n++) {
		turn();
		up_take();
		up_answer();
		while (ipc_ring_pop(&fe_in, &m) == 0)
			if (m.req_id == o.req)
				return (m.status);
	}
	return (-ETIMEDOUT);
}

/* As a frontend does it.  0, -EIO, -ETIMEDOUT. */
static int
image_read(uint32_t block, uint32_t sub, uint8_t out[SUB])
{
	for (unsigned n = 0; n < 20; n++) {
		bool sure;
		uint32_t slot = slot_table_find(&tab, block, &sure);
		int error;

		memset(out, 0, SUB);
		if (slot == IPC_NO_SLOT) {
			if (sure && zero_reads_zero(zero_get(&tab, block)))
				return (0);
		} else if (slot_valid_test(&tab, slot, sub)) {
			return (pread(cache_fd, out, SUB,
				    (off_t)(shm_slot_off(&shm, slot) + sub * SUB)) == SUB
				    ? 0
				    : -EIO);
		} else if ((head_flags(cm_head(cm, slot)) & SLOT_F_ZBASE) != 0) {
			return (0);
		}
		if ((error = ask(block, sub)) < 0)
			return (error);
	}
	return (-ETIMEDOUT);
}

/* Until all that is dirty is in the bucket, or nothing moves any more. */
static bool
image_upload(void)
{
	for (unsigned n = 0; n < 2000; n++) {
		if (cm->ndirty == 0 && cm->npending == 0 && nheld == 0)
			return (true);
		turn();
		up_take();
		up_answer();
	}
	return (false);
}

#endif
