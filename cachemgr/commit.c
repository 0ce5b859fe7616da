/* SPDX-License-Identifier: ISC */
#include "cachemgr/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cachemgr/commit_impl.h"
#include "cachemgr/recover.h"
#include "common/cachelayout.h"
#include "common/check.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"

/* ---- the thread -------------------------------------------------------------------------- */

static int
write_job(struct commit *c, struct batch_job *job)
{
	int error;

	if (job->has_batch && job->sync_first && !INJECT_FAIL("mutate.d1-skip-data-sync")) {
		/* D1, D6: bytes before the record that names them. */
		INJECT("cachemgr.commit.before-data-sync");
		job->syncs++;
		if ((error = durable_sync(c->file.fd)) < 0)
			return (error);
	}
	if (job->has_batch) {
		INJECT("cachemgr.commit.before-batch");
		error = pwrite_full(c->file.fd, job->batch.buf, job->batch.len, (off_t)job->at);
		if (error < 0)
			return (error);
	}
	INJECT("cachemgr.commit.before-sync");
	job->syncs++;
	if (INJECT_FAIL("mutate.p4-skip-last-sync"))
		return (0);
	error = durable_sync(c->file.fd);
	INJECT("cachemgr.commit.after-sync");
	return (error);
}

static void *
commit_thread(void *arg)
{
	struct cachemgr *cm = arg;
	struct commit *c = cm->commit;

	for (;;) {
		uint64_t t0;

		while (sem_wait(&c->go) < 0)
			;
		t0 = now_us();
		c->job.syncs = 0;
		c->job.result = write_job(c, &c->job);
		c->job.took_us = now_us() - t0;
		/* Release: main, seeing done, sees the result. */
		atomic_store(&c->done, 1);
		ipc_bell_ring(cm->env->bell, -1);
	}
	return (NULL);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* A first snapshot, so that the journal has a beginning. */
static int
start_journal(struct cachemgr *cm, struct commit *c)
{
	int error;

	c->pos.half = 1; /* the snapshot goes to the other one */
	c->pos.end = c->half_bytes;
	c->pos.last_has_data = true; /* so that a batch is built though nothing changed */
	if ((error = batch_build(cm, c)) < 0)
		return (error);
	return (write_job(c, &c->job));
}

/*
 * Changes made under another mount token than the one we hold now: between the two somebody else may
 * have written the disk, and our blocks would not fit to his.  Only the user can tell.
 */
static bool
are_changes_foreign(const struct cachemgr *cm, const struct cachefile *file)
{
	uint32_t token = atomic_load(&cm->st->token);

	return ((cm->ndirty > 0 || cm->npending > 0) && file->token != 0 && token != 0 &&
		file->token != token && atomic_load(&cm->st->dirty_welcome) == 0);
}

/* Our predecessor found the cache file broken; we do not try again what it could not do. */
static void
stay_broken(struct cachemgr *cm, struct commit *c)
{
	c->broken = true;
	c->error = -EIO;
	c->voided = atomic_load(&cm->st->cache_broken) == 2;
	c->wanted = true;
	if (!c->voided && recover_journal(cm, c->half_bytes, &c->pos, c->rec_dirty, false) < 0)
		memset(c->rec_dirty, REC_DIRTY, cm->shm->geo.nslots); /* for all we know */
}

int
commit_open(struct cachemgr *cm, const struct cachefile *file, bool fresh_segment)
{
	struct commit *c = calloc(1, sizeof(*c));
	int error;

	if (c == NULL)
		return (-ENOMEM);
	c->file = *file;
	c->half_bytes = cache_journal_bytes(cm->shm->geo.nslots);
	c->rec_dirty = calloc(cm->shm->geo.nslots, sizeof(*c->rec_dirty));
	STAILQ_INIT(&c->waiting);
	STAILQ_INIT(&c->committing);
	if (c->rec_dirty == NULL || sem_init(&c->go, 0, 0) < 0)
		return (-ENOMEM);
	cm->commit = c;
	error = file->fresh
		    ? -ENOENT
		    : recover_journal(cm, c->half_bytes, &c->pos, c->rec_dirty, fresh_segment);
	if (error == -ENOENT && file->fresh)
		error = start_journal(cm, c);
	if (error < 0)
		return (error == -ENOENT ? -EUCLEAN : error);
	if (fresh_segment && are_changes_foreign(cm, file))
		return (-EKEYREJECTED); /* before the superblock gets the token of now */
	if ((error = cachefile_mark(&c->file, cm->env->conf, cm->shm, atomic_load(&cm->st->token),
		 CACHEFILE_IN_USE)) < 0)
		return (error);
	error = pthread_create(&c->thread, NULL, commit_thread, cm);
	return (-error);
}

/* ---- what changed ------------------------------------------------------------------------ */

void
commit_note_dirty(struct cachemgr *cm, struct bop *b)
{
	if (b->on_record)
		return;
	b->on_record = 1;
	TAILQ_INSERT_TAIL(&cm->unrecorded, b, record);
}

void
commit_note_clean(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	/* Forgetting one costs a commit at its eviction, nothing else. */
	if (c->rec_dirty[slot] != 0)
		(void)slot_list_add(&c->to_clean, slot);
}

void
commit_note_zero(struct cachemgr *cm, uint32_t block, bool pending)
{
	struct commit *c = cm->commit;
	struct zero_note *z = c->nzero > 0 ? &c->zero[c->nzero - 1] : NULL;

	if (INJECT_FAIL("mutate.d7-forget-trims"))
		return;
	if (z != NULL && z->pending == pending && z->block + z->count == block) {
		z->count++;
		return;
	}
	if (c->nzero == c->zero_cap) {
		uint32_t cap = c->zero_cap > 0 ? c->zero_cap * 2 : 256;

		z = realloc(c->zero, cap * sizeof(*z));
		if (z == NULL) {
			/* A trim that is forgotten by a crash brings old data back: start over. */
			log_err(-ENOMEM, "cannot note a trim; starting over");
			exit(ROLE_EXIT_AGAIN);
		}
		c->zero = z;
		c->zero_cap = cap;
	}
	c->zero[c->nzero++] = (struct zero_note){block, 1, pending};
	if (c->nzero > 65536)
		c->wanted = true;
}

void
commit_note_dropped(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	if (c->rec_dirty[slot] != 0 && !slot_list_add(&c->to_drop, slot)) {
		log_err(-ENOMEM, "cannot note a trim; starting over");
		exit(ROLE_EXIT_AGAIN);
	}
}

bool
commit_hold_slot(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	if (c->rec_dirty[slot] == 0 || INJECT_FAIL("mutate.d2-reuse-at-once"))
		return (false);
	if (!slot_list_add(&c->to_free, slot)) {
		log_err(-ENOMEM, "cannot keep a slot until its record is durable; starting over");
		exit(ROLE_EXIT_AGAIN);
	}
	if (c->to_free.n > cm->shm->geo.nslots / 16)
		c->wanted = true;
	return (true);
}

void
commit_visit_held(struct cachemgr *cm, uint8_t *seen, uint8_t bit)
{
	const struct slot_list *l[2] = {&cm->commit->to_free, &cm->commit->freeing};

	for (unsigned k = 0; k < 2; k++)
		for (uint32_t i = 0; i < l[k]->n; i++)
			if (head_state(cm_head(cm, l[k]->slot[i])) == SLOT_OLD)
				seen[l[k]->slot[i]] |= bit;
}

bool
commit_busy(struct cachemgr *cm)
{
	return (cm->commit->busy || cm->commit->final || cm->commit->final_running);
}

/* ---- when -------------------------------------------------------------------------------- */

void
commit_wanted(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	if (c->to_free.n > 0)
		c->wanted = true;
}

void
commit_flush(struct cachemgr *cm, uint64_t req_id)
{
	struct flush_waiter *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		cm_reply_fe(cm, req_id, -ENOMEM);
		return;
	}
	f->req_id = req_id;
	STAILQ_INSERT_TAIL(&cm->commit->waiting, f, link);
}

void
commit_final(struct cachemgr *cm, uint64_t req_id)
{
	cm->commit->final = true;
	cm->commit->final_req = req_id;
}

void
commit_forget_fe(struct cachemgr *cm)
{
	struct flush_list *l[2] = {&cm->commit->waiting, &cm->commit->committing};
	struct flush_waiter *f;

	for (unsigned i = 0; i < 2; i++)
		while ((f = STAILQ_FIRST(l[i])) != NULL) {
			STAILQ_REMOVE_HEAD(l[i], link);
			free(f);
		}
}

static void
answer(struct cachemgr *cm, struct flush_list *l, int status)
{
	struct flush_waiter *f;

	while ((f = STAILQ_FIRST(l)) != NULL) {
		STAILQ_REMOVE_HEAD(l, link);
		cm_reply_fe(cm, f->req_id, status);
		free(f);
	}
}

/* The cache file cannot be written.  Flushed data is safe still; new promises cannot be made. */
static void
degrade(struct cachemgr *cm, int error)
{
	struct commit *c = cm->commit;

	if (!c->broken)
		log_err(
		    error, "cannot commit to the cache file: flushes wait for the bucket instead");
	c->broken = true;
	(void)snprintf(cm->st->why, sizeof(cm->st->why), "cache file: %s", strerror(-error));
	atomic_store(&cm->st->disk_state, DISK_DEGRADED);
	atomic_store(&cm->st->flush_to_bucket, 1);
}

static void
finish(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	struct flush_waiter *f;

	c->busy = false;
	ctr_inc(cm->ctr, commits);
	ctr_add(cm->ctr, commit_syncs, c->job.syncs);
	ctr_add(cm->ctr, commit_us, c->job.took_us);
	if (c->job.result < 0) {
		/*
		 * Nobody knows what of it is on the disk, so slots stay held, and no further batch
		 * may follow a hole: from here on a flush means the bucket.
		 */
		degrade(cm, c->job.result);
		while ((f = STAILQ_FIRST(&c->committing)) != NULL) {
			STAILQ_REMOVE_HEAD(&c->committing, link);
			barrier_add(cm, IPC_FLUSH, f->req_id, false);
			free(f);
		}
		return;
	}
	for (uint32_t i = 0; i < c->freeing.n; i++) {
		uint32_t slot = c->freeing.slot[i];

		c->rec_dirty[slot] = 0;
		slot_release(cm, slot);
	}
	for (uint32_t i = 0; i < c->ending.n; i++) {
		uint8_t *rec = &c->rec_dirty[c->ending.slot[i]];

		*rec = (*rec & REC_AGAIN) != 0 ? REC_DIRTY : 0;
	}
	c->freeing.n = c->ending.n = 0;
	atomic_store(&cm->st->local_seq, c->acked);
	answer(cm, &c->committing, 0);
}

static void
begin(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	int error;

	c->wanted = false;
	c->acked = atomic_load(&cm->st->acked_seq);
	STAILQ_CONCAT(&c->committing, &c->waiting);
	MUST(c->freeing.n == 0 && c->ending.n == 0);
	if ((error = batch_build(cm, c)) < 0) {
		c->job.result = error;
		finish(cm);
		return;
	}
	for (uint32_t i = 0; i < c->to_free.n; i++)
		(void)slot_list_add(&c->freeing, c->to_free.slot[i]);
	c->to_free.n = 0;
	c->busy = true;
	atomic_store(&c->done, 0);
	sem_post(&c->go);
}

static void
final_done(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	bool clean = cm->ndirty == 0 && cm->npending == 0;
	int error = cachefile_mark(&c->file, cm->env->conf, cm->shm,
	    clean ? 0 : atomic_load(&cm->st->token), clean ? CACHEFILE_CLEAN : CACHEFILE_ENDED);

	c->final = c->final_running = false;
	cm_reply_sup(cm, c->final_req, error, cm->ndirty);
}

void
commit_turn(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	if (c->busy && atomic_load(&c->done) != 0)
		finish(cm);
	if (c->busy)
		return;
	if (c->broken) {
		struct flush_waiter *f;

		while ((f = STAILQ_FIRST(&c->waiting)) != NULL) {
			STAILQ_REMOVE_HEAD(&c->waiting, link);
			barrier_add(cm, IPC_FLUSH, f->req_id, false);
			free(f);
		}
		if (c->final)
			cm_reply_sup(cm, c->final_req, cm->ndirty > 0 ? -EIO : 0, cm->ndirty);
		c->final = false;
		return;
	}
	if (c->final_running) {
		final_done(cm);
		return;
	}
	c->final_running = c->final;
	if (c->wanted || c->final || !STAILQ_EMPTY(&c->waiting))
		begin(cm);
}
