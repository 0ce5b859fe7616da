/* SPDX-License-Identifier: ISC */
/*
 * lease.c -- the right to write: the mount token in the bucket is ours, and we know it recently.
 *
 * A lease in the sense of Gray and Cheriton (SOSP 1989): a confirmation of the token, asked for at time
 * t, allows PUTs and DELETEs to begin until t + leaseTime.  Whoever could not confirm it for that
 * long, because it was stopped, asleep or cut off, asks again before its next request; if the token has
 * become somebody else's meanwhile, the disk is fenced: nothing is written any more, what is dirty
 * stays in the cache file, and waiting flushes fail.  Uploaders look at the same time once more just
 * before a request leaves, for the case that we are stopped between our look and theirs.
 *
 * A store without conditional PUT lets two machines that start in the same moment both write their
 * token; the later one stays.  Each looks again before its first PUT, and not before lease_from, when no
 * token of that moment is on its way any more (supervisor/token.c): only one finds its own.
 *
 * An idle disk renews rarely: nothing is to be written, so nothing is to be protected, and the renewal
 * only tells others that we live.  The clock is CLOCK_BOOTTIME, which goes on while the machine sleeps.
 */
#include <errno.h>
#include <stdio.h>

#include "common/conf.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "cachemgr/cm.h"

#define RETRY_US 2000000
#define IDLE_US	 300000000

void
lease_open(struct cachemgr *cm)
{
	cm->lease_us = cm->env->conf->lease_time_us;
	cm->lease_idle = cm->lease_us > IDLE_US ? cm->lease_us : IDLE_US;
	/* s3backerd has just taken the token, and says by token_until that a lease is to be kept. */
	cm->lease_on = atomic_load(&cm->st->token) != 0 && atomic_load(&cm->st->token_until) != 0;
	cm->fenced = atomic_load(&cm->st->fenced) != 0;
	cm->lease_retry = atomic_load(&cm->st->lease_from);
}

bool
lease_holds(struct cachemgr *cm)
{
	if (INJECT_FAIL("mutate.p6-no-fence")) /* in the uploaders as well */
		return (true);
	return (!cm->fenced && (!cm->lease_on || boot_us() < atomic_load(&cm->st->token_until)));
}

static bool
busy(const struct cachemgr *cm)
{
	return (cm->ndirty > 0 || cm->npending > 0 || cm->ndeletes > 0);
}

/* When the next confirmation is to be asked for; CLOCK_BOOTTIME. */
static uint64_t
due(struct cachemgr *cm)
{
	uint64_t until = atomic_load(&cm->st->token_until);
	uint64_t lead = cm->lease_us / 2, at;

	/* Of a token that was never confirmed `until` is 1: nothing may be subtracted from that. */
	if (busy(cm))
		at = until > lead ? until - lead : 0;
	else
		at = until + (cm->lease_idle - cm->lease_us);
	return (at > cm->lease_retry ? at : cm->lease_retry);
}

void
lease_run(struct cachemgr *cm)
{
	struct ipc_msg m = {.type = IPC_TOKEN};
	struct xfer *x;

	if (!cm->lease_on || cm->lease_asking || cm->fenced || boot_us() < due(cm))
		return;
	x = sched_start(cm, XFER_TOKEN, &m);
	if (x == NULL)
		return;
	/* Before the question leaves: the answer is about a moment not earlier than this. */
	cm->lease_asked = boot_us();
	cm->lease_asking = true;
	m.slot = IPC_NO_SLOT;
	(void)sched_send(cm, x, &m);
}

static void
fence(struct cachemgr *cm)
{
	cm->fenced = true;
	atomic_store(&cm->st->fenced, 1);
	atomic_store(&cm->st->token_until, 1); /* long past; 0 would mean that no lease is kept */
	(void)snprintf(cm->st->why, sizeof(cm->st->why),
	    "the mount token in the bucket is no longer ours: another machine has mounted this "
	    "disk, or the token was reset; %s (see s3backerctl(8), FENCED DISKS)",
	    cm->file ? "changes are kept here and not uploaded"
		     : "changes are in memory alone: copy what is needed before the stop");
	atomic_store(&cm->st->disk_state, DISK_FENCED);
	log_event(EVENT_FENCED, LEVEL_ERR,
	    "fenced: the mount token is no longer ours; nothing is written to the bucket any more: "
	    "dirty_blocks=%u",
	    cm->ndirty);
	barrier_fail_all(cm, -EIO);
	cm->room_made = true; /* those who wait for room learn that there will be none */
}

void
lease_done(struct cachemgr *cm, const struct ipc_msg *m)
{
	uint64_t etag[2];

	cm->lease_asking = false;
	if (m->status == -ESTALE) {
		fence(cm);
		return;
	}
	if (m->status < 0) {
		if (m->status != -EAGAIN)
			log_warn(
			    "cannot confirm the mount token, uploads wait: status=%d", m->status);
		cm->lease_retry = boot_us() + (m->status == -EAGAIN ? 0 : RETRY_US);
		return;
	}
	__builtin_memcpy(etag, m->etag, sizeof(etag));
	atomic_store(&cm->st->token_etag[0], etag[0]);
	atomic_store(&cm->st->token_etag[1], etag[1]);
	atomic_store(&cm->st->token_until, cm->lease_asked + cm->lease_us);
	cm->lease_retry = 0;
	cm->pend_blocked = false;
}

uint64_t
lease_deadline(struct cachemgr *cm)
{
	uint64_t now = boot_us(), at;

	if (!cm->lease_on || cm->lease_asking || cm->fenced)
		return (UINT64_MAX);
	at = due(cm);
	return (cm->now_us + (at > now ? at - now : 0));
}
