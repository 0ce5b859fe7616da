/* SPDX-License-Identifier: ISC */
/*
 * barrier.c -- waiting until the bucket holds everything that was acknowledged before: fsync with
 * flushTo=bucket, `flush`, `drain`, stop.
 *
 * Every block that becomes dirty carries the number of the newest barrier at that time; the dirty
 * list is in that order.  Barrier n is reached when no dirty block and no upload in flight carries
 * n or less, and nothing trimmed before it awaits its delete.  What becomes dirty later is not
 * waited for.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/inject.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"

static void
fail(struct cachemgr *cm, uint16_t type, uint64_t req_id, bool from_sup, int status)
{
	/* A fenced disk can be stopped all the same: what is dirty stays in the cache file. */
	if (type == IPC_STOP && cm->commit != NULL) {
		cm->keep_dirty = cm->stopping = true;
		commit_final(cm, req_id);
	} else if (from_sup) {
		cm_reply_sup(cm, req_id, type == IPC_STOP ? 0 : status, cm->ndirty);
	} else {
		cm_reply_fe(cm, req_id, status);
	}
}

void
barrier_fail_all(struct cachemgr *cm, int status)
{
	struct barrier *f;

	while ((f = STAILQ_FIRST(&cm->barriers)) != NULL) {
		STAILQ_REMOVE_HEAD(&cm->barriers, link);
		fail(cm, f->type, f->req_id, f->from_sup, status);
		free(f);
	}
}

void
barrier_add(struct cachemgr *cm, uint16_t type, uint64_t req_id, bool from_sup)
{
	struct barrier *f;

	if (cm->fenced && (cm->ndirty > 0 || cm->npending > 0)) {
		fail(cm, type, req_id, from_sup, -EIO);
		return;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		if (from_sup)
			cm_reply_sup(cm, req_id, -ENOMEM, 0);
		else
			cm_reply_fe(cm, req_id, -ENOMEM);
		return;
	}
	f->id = cm->barrier++;
	f->req_id = req_id;
	f->type = type;
	f->from_sup = from_sup;
	STAILQ_INSERT_TAIL(&cm->barriers, f, link);
}

bool
barrier_covers(struct cachemgr *cm, uint64_t dirty_id)
{
	const struct barrier *last = STAILQ_LAST(&cm->barriers, barrier, link);

	return (last != NULL && dirty_id <= last->id);
}

/* The smallest number still dirty. */
static uint64_t
oldest_id(struct cachemgr *cm)
{
	const struct bop *b = TAILQ_FIRST(&cm->dirty);
	uint64_t id = b != NULL ? b->dirty_id : UINT64_MAX;

	TAILQ_FOREACH (b, &cm->uploading, up)
		if (b->up_dirty_id < id && !INJECT_FAIL("mutate.p4-sent-is-there"))
			id = b->up_dirty_id;
	return (id);
}

static void
reached(struct cachemgr *cm, struct barrier *f)
{
	if (f->type == IPC_STOP) {
		cm->stopping = true;
		if (cm->commit != NULL)
			commit_final(cm, f->req_id); /* replies when the cache file says so too */
		else
			cm_reply_sup(cm, f->req_id, 0, 0);
	} else if (cm->commit != NULL) {
		commit_bucket_holds(cm, f); /* replies likewise */
	} else if (!f->from_sup) {
		cm_reply_fe(cm, f->req_id, 0);
	} else {
		if (f->type == IPC_DRAIN)
			atomic_store(&cm->st->disk_state, DISK_DRAINED);
		cm_reply_sup(cm, f->req_id, 0, 0);
	}
}

void
barrier_check(struct cachemgr *cm)
{
	struct barrier *f;
	uint64_t id;

	if (STAILQ_EMPTY(&cm->barriers))
		return;
	id = oldest_id(cm);
	while ((f = STAILQ_FIRST(&cm->barriers)) != NULL) {
		/*
		 * Trimmed blocks carry no number: all of them are waited for, also later ones. That
		 * is more than was asked, never less.
		 */
		if (id <= f->id || cm->npending > 0 || cm->ndeletes > 0)
			return;
		STAILQ_REMOVE_HEAD(&cm->barriers, link);
		reached(cm, f);
		free(f);
	}
}

void
super_handle(struct cachemgr *cm, const struct ipc_msg *m)
{
	switch (m->type) {
	case IPC_SYNC:
		barrier_add(cm, IPC_SYNC, m->req_id, true);
		break;
	case IPC_DRAIN:
		atomic_store(&cm->st->disk_state, DISK_DRAINING);
		/* From now on a write is acknowledged when the bucket has it. */
		settings_through(cm);
		barrier_add(cm, IPC_DRAIN, m->req_id, true);
		break;
	case IPC_RESUME:
		atomic_store(&cm->st->disk_state,
		    atomic_load(&cm->st->cache_broken) != 0 ? DISK_DEGRADED : DISK_RUNNING);
		settings_through(cm);
		cm_reply_sup(cm, m->req_id, 0, 0);
		break;
	case IPC_STOP:
		atomic_store(&cm->st->disk_state, DISK_STOPPING);
		if ((m->flags & IPC_F_KEEP_DIRTY) != 0 && cm->commit != NULL) {
			cm->keep_dirty = cm->stopping = true;
			commit_final(cm, m->req_id);
		} else if (INJECT_FAIL("mutate.p7-stop-at-once")) {
			cm->keep_dirty = cm->stopping = true;
			cm_reply_sup(cm, m->req_id, 0, 0);
		} else {
			barrier_add(cm, IPC_STOP, m->req_id, true);
		}
		break;
	case IPC_CHECK:
		scrub_request(cm, m);
		break;
	case IPC_SET:
		cm_reply_sup(cm, m->req_id, settings_change(cm, m->off, m->arg), 0);
		break;
	case IPC_DEAD:
		if (m->off >= shm_nprocs(cm->shm)) {
			ctr_inc(cm->ctr, bad_messages);
			cm_reply_sup(cm, m->req_id, -EINVAL, 0);
			break;
		}
		if (m->off >= PROC_UPLOADER0)
			sched_bury(cm, m->off - PROC_UPLOADER0);
		else if (m->off == PROC_FRONTEND)
			request_bury(cm);
		atomic_store(&shm_proc(cm->shm, m->off)->buried_by,
		    atomic_load(&shm_proc(cm->shm, m->off)->epoch));
		cm_reply_sup(cm, m->req_id, 0, 0);
		break;
	default:
		ctr_inc(cm->ctr, bad_messages);
		cm_reply_sup(cm, m->req_id, -EINVAL, 0);
		break;
	}
}
