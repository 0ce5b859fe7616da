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

/* ---- opening ----------------------------------------------------------------------------- */

/* A first snapshot, so that the journal has a beginning. */
static int
start_journal(struct cachemgr *cm, struct commit *c)
{
	int error;

	c->pos.half = 1; /* the snapshot goes to the other one */
	c->pos.end = c->half_bytes;
	c->afresh = true;
	if ((error = batch_build(cm, c)) < 0)
		return (error);
	return (commit_write(c, &c->job));
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
	void_announce(cm); /* it may have died before it said so */
	if (!c->voided &&
	    recover_journal(cm, &c->file, c->half_bytes, &c->pos, c->rec_dirty, false) < 0)
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
	STAILQ_INIT(&c->held);
	wrote_open(cm, &c->wrote);
	if (checkpoint_init(&c->checkpoint) < 0)
		return (-ENOMEM);
	if (c->rec_dirty == NULL)
		return (-ENOMEM);
	cm->commit = c;
	if (atomic_load(&cm->st->cache_broken) != 0) {
		stay_broken(cm, c);
		return (0);
	}
	error = file->fresh ? -ENOENT
			    : recover_journal(
				  cm, file, c->half_bytes, &c->pos, c->rec_dirty, fresh_segment);
	if (error == -ENOENT && file->fresh)
		error = start_journal(cm, c);
	if (error < 0)
		return (error == -ENOENT ? -EUCLEAN : error);
	/*
	 * A dead cachemgr takes with it which records were still to be ended: of blocks that the
	 * bucket holds by now, and of deletes that have been made or must not be made any more.
	 */
	c->afresh = !fresh_segment && !INJECT_FAIL("mutate.d8-predecessors-journal");
	c->marked = c->pos.settled;
	c->data_sequence = c->pos.data_sequence;
	c->settled =
	    fresh_segment ? c->pos.sequence : c->pos.settled; /* recovery has put it there */
	/* A half that was begun without O_DIRECT. */
	if (file->direct_fd >= 0 && c->pos.end % DIRECT_ALIGN != 0)
		c->afresh = true;
	if (fresh_segment && are_changes_foreign(cm, file))
		return (-EKEYREJECTED); /* before the superblock gets the token of now */
	if ((error = cachefile_mark(&c->file, cm->env->conf, cm->shm, atomic_load(&cm->st->token),
		 CACHEFILE_IN_USE)) < 0)
		return (error);
	return (0);
}

/* ---- when -------------------------------------------------------------------------------- */

bool
commit_busy(struct cachemgr *cm)
{
	return (cm->commit->busy || cm->commit->final || cm->commit->final_running);
}

void
commit_wanted(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	if (c->to_free.n > 0)
		c->wanted = true;
}

static void
reply(struct cachemgr *cm, uint16_t type, uint64_t req_id, int status)
{
	if (type == IPC_FLUSH && req_id != FLUSH_NOBODY)
		cm_reply_fe(cm, req_id, status);
	if (type == IPC_DRAIN && status == 0)
		atomic_store(&cm->st->disk_state, DISK_DRAINED);
	if (type != IPC_FLUSH)
		cm_reply_sup(cm, req_id, status, 0);
}

static void
enqueue(struct cachemgr *cm, struct flush_list *l, uint16_t type, uint64_t req_id)
{
	struct flush_waiter *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		reply(cm, type, req_id, -ENOMEM);
		return;
	}
	f->req_id = req_id;
	f->type = type;
	STAILQ_INSERT_TAIL(l, f, link);
}

void
commit_flush(struct cachemgr *cm, uint64_t req_id)
{
	enqueue(cm, &cm->commit->waiting, IPC_FLUSH, req_id);
}

/*
 * The bucket holds what was to be flushed.  The records that call an older copy of it dirty must end
 * first, or it would be put over this one after a power loss.
 */
void
commit_bucket_holds(struct cachemgr *cm, const struct barrier *b)
{
	struct commit *c = cm->commit;

	if (!c->broken)
		enqueue(cm, &c->waiting, b->type, b->req_id);
	else if (b->id < c->void_from)
		/* Asked before the commit failed: what was flushed to the file since is newer. */
		barrier_add(cm, b->type, b->req_id, b->from_sup);
	else
		enqueue(cm, &c->held, b->type, b->req_id);
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
	struct flush_list *l[] = {&cm->commit->waiting, &cm->commit->committing, &cm->commit->held};
	struct flush_waiter *f, *next;

	(void)pthread_mutex_lock(&cm->fe_lock);
	cm->commit->job.nreply = 0;
	(void)pthread_mutex_unlock(&cm->fe_lock);
	for (unsigned i = 0; i < 3; i++)
		for (f = STAILQ_FIRST(l[i]); f != NULL; f = next) {
			next = STAILQ_NEXT(f, link);
			if (f->type != IPC_FLUSH)
				continue;
			STAILQ_REMOVE(l[i], f, flush_waiter, link);
			free(f);
		}
}

void
commit_answer(struct cachemgr *cm, struct flush_list *l, int status)
{
	struct flush_waiter *f;

	while ((f = STAILQ_FIRST(l)) != NULL) {
		STAILQ_REMOVE_HEAD(l, link);
		reply(cm, f->type, f->req_id, status);
		free(f);
	}
}

/* By commit_run(). */
static void
drop_answered(struct commit *c)
{
	struct flush_waiter *f, *next;

	for (f = STAILQ_FIRST(&c->committing); f != NULL; f = next) {
		next = STAILQ_NEXT(f, link);
		if (f->type != IPC_FLUSH)
			continue;
		STAILQ_REMOVE(&c->committing, f, flush_waiter, link);
		free(f);
	}
}

/* Whom commit_run() is to answer. */
static int
collect_replies(struct commit *c)
{
	struct batch_job *job = &c->job;
	const struct flush_waiter *f;

	job->nreply = 0;
	STAILQ_FOREACH (f, &c->committing, link) {
		if (f->type != IPC_FLUSH || f->req_id == FLUSH_NOBODY)
			continue;
		if (job->nreply == job->reply_cap) {
			uint32_t cap = job->reply_cap > 0 ? job->reply_cap * 2 : 64;
			uint64_t *p = reallocarray(job->reply, cap, sizeof(*p));

			if (p == NULL)
				return (-ENOMEM);
			job->reply = p;
			job->reply_cap = cap;
		}
		job->reply[job->nreply++] = f->req_id;
	}
	return (0);
}

static void
finish(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	c->busy = false;
	if (c->job.void_file) {
		void_finish(cm);
		return;
	}
	if (c->file.direct_fd < 0 && c->job.result == 0) {
		c->settled = c->pos.sequence; /* by the fdatasync behind it */
		c->settled_bytes = c->data_bytes;
	}
	ctr_inc(cm->ctr, commits);
	ctr_add(cm->ctr, commit_syncs, c->job.syncs);
	ctr_add(cm->ctr, commit_us, c->job.took_us);
	if (c->job.result < 0) {
		commit_cache_fault(cm, c->job.result);
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
	if (c->job.answered)
		drop_answered(c);
	commit_answer(cm, &c->committing, 0);
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
	c->job.answered = false;
	if ((error = batch_build(cm, c)) < 0 || (error = collect_replies(c)) < 0) {
		c->job.result = error;
		finish(cm);
		return;
	}
	for (uint32_t i = 0; i < c->to_free.n; i++)
		(void)slot_list_add(&c->freeing, c->to_free.slot[i]);
	c->to_free.n = 0;
	if (!c->job.has_batch && !c->job.sync_first && c->file.direct_fd >= 0) {
		c->job.syncs = 0;
		c->job.result = 0;
		c->job.took_us = 0;
		finish(cm); /* what was written before is in the journal by now, or synced */
		return;
	}
	commit_start_job(c);
}

void
commit_start_job(struct commit *c)
{
	c->busy = c->to_run = true;
	atomic_store(&c->awaited, c->freeing.n > 0);
	atomic_store(&c->done, 0);
}

static void
final_done(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	bool clean = cm->ndirty == 0 && cm->npending == 0;
	int error;

	c->file.last_sequence = c->pos.sequence;
	c->file.last_crc = c->pos.crc;
	error = cachefile_mark(&c->file, cm->env->conf, cm->shm,
	    clean ? 0 : atomic_load(&cm->st->token), clean ? CACHEFILE_CLEAN : CACHEFILE_ENDED);

	c->final = c->final_running = false;
	cm_reply_sup(cm, c->final_req, error, cm->ndirty);
}

void
commit_collect(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	if (c->busy && !c->to_run && atomic_load(&c->done) != 0)
		finish(cm);
}

void
commit_turn(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	commit_collect(cm);
	checkpoint_turn(cm);
	if (c->busy && (c->wanted || c->final || !STAILQ_EMPTY(&c->waiting))) {
		atomic_store(&c->awaited, 1);
		commit_collect(cm);
	}
	if (c->busy)
		return;
	if (c->broken) {
		void_turn(cm);
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
