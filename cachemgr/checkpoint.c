/* SPDX-License-Identifier: ISC */
#include "cachemgr/checkpoint.h"

#include <errno.h>

#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/durable.h"
#include "common/inject.h"

/*
 * Bytes of DATA.  Often enough that what is left at the end of a half, and what recovery reads, is little; and
 * seldom enough: pages that are written again and again are written once, and a file system that has to turn
 * the file's unwritten extents into written ones does that in one go, where each journal write behind a few
 * of them would have to wait for its metadata (measured: 3,844 flushes/s where this makes 7,012).
 */
#define ENOUGH (4u << 20)

int
checkpoint_init(struct checkpoint *k)
{
	k->enough = ENOUGH;
	return (sem_init(&k->go, 0, 0) < 0 ? -errno : 0);
}

void
checkpoint_run(struct cachemgr *cm)
{
	struct checkpoint *k = &cm->commit->checkpoint;

	INJECT("cachemgr.checkpoint.before");
	k->result = durable_sync(cm->commit->file.fd);
	/* The kernel tells of an error once: should we die of here, the next of us must know. */
	if (k->result < 0 && !INJECT_FAIL("mutate.p4-error-unsaid"))
		atomic_store(&cm->st->cache_broken, 1);
	INJECT("cachemgr.checkpoint.after");
	atomic_store(&k->done, 1);
	if (k->result < 0) /* else it has time until the leader wakes up for something else */
		ipc_bell_ring(cm->env->bell, -1);
}

static void
take_up(struct cachemgr *cm, struct commit *c, struct checkpoint *k)
{
	k->running = false;
	ctr_inc(cm->ctr, commit_syncs);
	if (k->result < 0) {
		commit_cache_fault(cm, k->result);
		return;
	}
	/* A commit that synced meanwhile has settled more. */
	if (k->sequence > c->settled) {
		c->settled = k->sequence;
		c->settled_bytes = k->bytes;
	}
}

void
checkpoint_turn(struct cachemgr *cm)
{
	struct commit *c = cm->commit;
	struct checkpoint *k = &c->checkpoint;

	if (k->running && atomic_load(&k->done) != 0)
		take_up(cm, c, k);
	/* Not while a commit is written: it may find out that there is no O_DIRECT. */
	if (k->running || c->busy || c->broken || c->file.direct_fd < 0 ||
	    c->data_bytes - c->settled_bytes < k->enough)
		return;
	k->sequence = c->pos.sequence;
	k->bytes = c->data_bytes;
	if (INJECT_FAIL("mutate.d1-settled-before")) {
		c->settled = k->sequence;
		c->settled_bytes = k->bytes;
	}
	k->running = true;
	atomic_store(&k->done, 0);
	(void)sem_post(&k->go);
}
