/* SPDX-License-Identifier: ISC */
/*
 * commit_job.c -- a commit's I/O, by whoever does not lead meanwhile (lead.h).
 */
#include <errno.h>
#include <unistd.h>

#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"

/* A batch past the page cache, durable when this returns.  -EINVAL: not on this disk. */
static int
write_direct(struct commit *c, struct batch_job *job)
{
	job->syncs++;
	if (INJECT_FAIL("cachemgr.commit.io-error"))
		return (-EIO);
	if (INJECT_FAIL("mutate.p4-skip-last-sync"))
		return (pwrite_full(c->file.fd, job->batch.buf, job->batch.len, (off_t)job->at));
	return (durable_pwrite(c->file.direct_fd, job->batch.buf, job->batch.len, (off_t)job->at));
}

int
commit_write(struct commit *c, struct batch_job *job)
{
	int error;

	if (job->sync_first && !INJECT_FAIL("mutate.d1-skip-data-sync")) {
		/* D1, D6: bytes before the record that names them. */
		INJECT("cachemgr.commit.before-data-sync");
		job->syncs++;
		if ((error = durable_sync(c->file.fd)) < 0)
			return (error);
	}
	if (job->has_batch)
		INJECT("cachemgr.commit.before-batch");
	if (c->file.direct_fd >= 0) {
		error = job->has_batch ? write_direct(c, job) : 0;
		if (error != -EINVAL)
			return (error);
		log_warn(
		    "the cache file cannot be written past the page cache: each flush syncs it");
		close(c->file.direct_fd);
		c->file.direct_fd = -1;
	}
	if (job->has_batch) {
		error = pwrite_full(c->file.fd, job->batch.buf, job->batch.len, (off_t)job->at);
		if (error < 0)
			return (error);
	}
	INJECT("cachemgr.commit.before-sync");
	job->syncs++;
	if (INJECT_FAIL("mutate.p4-skip-last-sync"))
		return (0);
	error = INJECT_FAIL("cachemgr.commit.io-error") ? -EIO : durable_sync(c->file.fd);
	INJECT("cachemgr.commit.after-sync");
	return (error);
}

/*
 * Flushes are answered from here: on its way through the leader an answer would wait for a second thread to
 * wake up.  Under the lock, or they might be another frontend's by now.
 */
static void
answer_flushes(struct cachemgr *cm, struct batch_job *job)
{
	atomic_store(&cm->st->local_seq, cm->commit->acked);
	(void)pthread_mutex_lock(&cm->fe_lock);
	for (uint32_t i = 0; i < job->nreply; i++)
		cm_push_fe(cm, job->reply[i], 0);
	(void)pthread_mutex_unlock(&cm->fe_lock);
	if (job->nreply > 0)
		ipc_bell_ring(shm_bell(cm->shm, PROC_FRONTEND), -1);
}

bool
commit_take_job(struct cachemgr *cm)
{
	bool have = cm->commit != NULL && cm->commit->to_run;

	if (have)
		cm->commit->to_run = false;
	return (have);
}

void
commit_run(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	struct batch_job *job = &c->job;
	uint64_t t0 = now_us();

	job->syncs = 0;
	job->result = job->void_file ? void_write(cm) : commit_write(c, job);
	job->took_us = now_us() - t0;
	/* The kernel tells of an error once: should we die of here, the next of us must know. */
	if (job->result < 0 && !job->void_file && !INJECT_FAIL("mutate.p4-error-unsaid"))
		atomic_store(&cm->st->cache_broken, 1);
	if (job->result < 0)
		INJECT("cachemgr.commit.after-error");
	if (job->result == 0 && !job->void_file) {
		answer_flushes(cm, job);
		job->answered = true;
	}
	/*
	 * Done first, then the look: the leader says that it waits, and looks at `done` again after that.
	 * Who waits for nothing is left asleep, and takes the rest up when it wakes.
	 */
	if (job->result < 0 || job->void_file)
		atomic_store(&c->awaited, 1);
	atomic_store(&c->done, 1);
	if (atomic_load(&c->awaited) != 0)
		ipc_bell_ring(cm->env->bell, -1);
}
