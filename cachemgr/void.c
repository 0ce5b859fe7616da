/* SPDX-License-Identifier: ISC */
/*
 * void.c -- the cache file cannot be written: what is still promised, and how.
 *
 * Threads:  the leader, and whoever runs the job of the one write (lead.h).
 *
 * When a commit fails, nobody knows what of it is on the disk, and no batch may follow a hole.  What was
 * flushed before is safe: the journal says so and is not touched any more, and no slot that it may
 * call dirty is given to another block.  From then on a flush waits for the bucket.
 *
 * But the journal would be believed at the next start, and bring back what the bucket has newer.  So
 * before such a flush is answered, the file is made void: one sector of the superblock, after which
 * nothing in it counts.  That is right as soon as the bucket holds everything that was dirty when the
 * commit failed.  If it cannot be written either, the flush fails: the bucket has the data, but we
 * cannot promise that the next start of this machine leaves it alone.
 *
 *	working --commit fails--> broken --bucket has all, superblock written--> void
 *
 * Void, the file serves as memory: slots are used as before, and the next start makes it anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/inject.h"
#include "common/log.h"

#define RETRY_US 2000000

static void
say_why(struct cachemgr *cm, const char *then)
{
	(void)snprintf(cm->st->why, sizeof(cm->st->why), "cache file: %s; %s",
	    strerror(-cm->commit->error), then);
}

/* To everyone, by the state page. */
void
void_announce(struct cachemgr *cm)
{
	say_why(cm, cm->commit->voided ? "it is used as memory, and flushes wait for the bucket"
				       : "flushes wait for the bucket");
	if (atomic_load(&cm->st->cache_broken) == 0)
		atomic_store(&cm->st->cache_broken, 1);
	atomic_store(&cm->st->flush_to_bucket, 1);
	if (atomic_load(&cm->st->disk_state) <= DISK_RUNNING)
		atomic_store(&cm->st->disk_state, DISK_DEGRADED);
}

void
commit_cache_fault(struct cachemgr *cm, int error)
{
	struct commit *c = cm->commit;

	if (c == NULL || c->broken)
		return;
	log_err(error, "the cache file fails: flushes wait for the bucket instead");
	c->broken = true;
	c->error = error;
	c->wanted = true; /* to make it void soon, also if nobody flushes */
	c->void_from = cm->barrier;
	say_why(cm, "flushes wait for the bucket");
	atomic_store(&cm->st->cache_broken, 1);
	atomic_store(&cm->st->disk_state, DISK_DEGRADED);
	atomic_store(&cm->st->flush_to_bucket, 1);
}

int
void_write(struct cachemgr *cm)
{
	/* Mutation: say that it is void, and leave it. */
	if (INJECT_FAIL("mutate.void-not-written"))
		return (0);
	return (cachefile_mark(&cm->commit->file, cm->env->conf, cm->shm, 0, CACHEFILE_VOID));
}

/* No record means anything any more: what waited for one is free. */
static void
release_all(struct cachemgr *cm, struct commit *c)
{
	struct slot_list *l[2] = {&c->freeing, &c->to_free};

	memset(c->rec_dirty, 0, cm->shm->geo.nslots * sizeof(*c->rec_dirty));
	for (unsigned i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < l[i]->n; k++)
			slot_release(cm, l[i]->slot[k]);
		l[i]->n = 0;
	}
	c->ending.n = c->to_clean.n = c->to_drop.n = c->nzero = 0;
}

static void
answer_held(struct cachemgr *cm, int status)
{
	struct commit *c = cm->commit;

	commit_answer(cm, &c->committing, status);
	if (c->final_running)
		cm_reply_sup(cm, c->final_req, status, cm->ndirty);
	c->final_running = false;
}

void
void_finish(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	c->job.void_file = false;
	c->void_retry_us = cm->now_us + RETRY_US;
	if (c->job.result == 0) {
		c->voided = true;
		atomic_store(&cm->st->cache_broken, 2);
		say_why(cm, "it is used as memory, and flushes wait for the bucket");
		log_warn("the cache file is marked void: the next start makes it anew");
		release_all(cm, c);
		answer_held(cm, 0);
		return;
	}
	say_why(cm, "flushes fail, as it cannot be marked void either");
	log_err(c->job.result, "cannot mark the cache file void: flushes fail");
	answer_held(cm, -EIO);
}

/* Flushes that have not waited for the bucket yet, or not long enough. */
static void
send_to_bucket(struct cachemgr *cm, struct flush_list *l)
{
	struct flush_waiter *f;

	while ((f = STAILQ_FIRST(l)) != NULL) {
		STAILQ_REMOVE_HEAD(l, link);
		barrier_add(cm, f->type, f->req_id, f->type != IPC_FLUSH);
		free(f);
	}
}

/* In place of commit_turn() when broken and the thread has nothing to do. */
void
void_turn(struct cachemgr *cm)
{
	struct commit *c = cm->commit;

	send_to_bucket(cm, &c->committing); /* of the commit that failed */
	send_to_bucket(cm, &c->waiting);
	if (c->wanted && !c->voided && cm->now_us >= c->void_retry_us) {
		c->wanted = false;
		c->void_retry_us = cm->now_us + RETRY_US;
		barrier_add(cm, IPC_FLUSH, FLUSH_NOBODY, false);
	}
	if (c->final && !c->voided && (cm->ndirty > 0 || cm->npending > 0)) {
		/* A stop that keeps what is dirty: the journal is all there is of it. */
		cm_reply_sup(cm, c->final_req, -EIO, cm->ndirty);
		c->final = false;
	}
	if (STAILQ_EMPTY(&c->held) && !c->final)
		return;
	STAILQ_CONCAT(&c->committing, &c->held);
	c->final_running = c->final;
	c->final = false;
	if (c->voided) {
		answer_held(cm, 0);
		return;
	}
	c->job.void_file = true;
	commit_start_job(c);
}
