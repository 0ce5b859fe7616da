/* SPDX-License-Identifier: ISC */
/*
 * loop.c -- the cache manager's loop: one turn looks at every ring, then does what can go on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cachemgr/cachefile.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/warm.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#define BATCH	256 /* messages of one ring before the others get a turn */
#define BEAT_US 1000000

void
cm_push_fe(struct cachemgr *cm, uint64_t req_id, int status)
{
	struct ipc_msg m = {
	    .type = IPC_DONE, .req_id = req_id, .status = status, .slot = IPC_NO_SLOT};

	/* The frontend keeps fewer requests open than the ring holds; one that does not loses. */
	if (ipc_ring_push(&cm->fe.out, &m) < 0)
		ctr_inc(cm->ctr, bad_messages);
}

void
cm_reply_fe(struct cachemgr *cm, uint64_t req_id, int status)
{
	(void)pthread_mutex_lock(&cm->fe_lock);
	cm_push_fe(cm, req_id, status);
	(void)pthread_mutex_unlock(&cm->fe_lock);
	cm->fe_rung = true;
}

void
cm_reply_sup(struct cachemgr *cm, uint64_t req_id, int status, uint64_t arg)
{
	struct ipc_msg m = {
	    .type = IPC_DONE, .req_id = req_id, .status = status, .arg = arg, .slot = IPC_NO_SLOT};

	/* Whoever hears that all is uploaded must not read figures from before. */
	throttle_update(cm);
	cm_reply_sup_msg(cm, &m);
}

void
cm_reply_sup_msg(struct cachemgr *cm, const struct ipc_msg *m)
{
	if (ipc_ring_push(&cm->sup.out, m) < 0)
		ctr_inc(cm->ctr, bad_messages);
	cm->sup_rung = true;
}

/*
 * An uploader gone mad may have spoilt even what says that it is a ring.  There is none while we start
 * (s3backerd ends them with our predecessor), and forget_uploads() empties the rings in any case.
 */
static int
attach_to_uploader(struct ipc_ring *ring, uint32_t n, struct ipc_ring_end *ret_end)
{
	if (ipc_ring_attach(ring, n, ret_end) == 0)
		return (0);
	ipc_ring_init(ring, n);
	return (ipc_ring_attach(ring, n, ret_end));
}

static int
attach_rings(struct cachemgr *cm)
{
	uint32_t n = cm->shm->geo.ring_msgs;
	int r = 0;

	r |= ipc_ring_attach(shm_ring(cm->shm, SHM_RING_FE_CM, 0), n, &cm->fe.in);
	r |= ipc_ring_attach(shm_ring(cm->shm, SHM_RING_CM_FE, 0), n, &cm->fe.out);
	r |= ipc_ring_attach(shm_ring(cm->shm, SHM_RING_SUP_CM, 0), n, &cm->sup.in);
	r |= ipc_ring_attach(shm_ring(cm->shm, SHM_RING_CM_SUP, 0), n, &cm->sup.out);
	for (uint32_t u = 0; u < cm->shm->geo.nuploaders; u++) {
		r |= attach_to_uploader(shm_ring(cm->shm, SHM_RINGS_CM_UP, u), n, &cm->up[u].out);
		r |= attach_to_uploader(shm_ring(cm->shm, SHM_RINGS_UP_CM, u), n, &cm->up[u].in);
	}
	return (r != 0 ? -EPROTO : 0);
}

/*
 * Our predecessor died, and its uploaders were ended with it.  What lies in their rings belongs to
 * transfers that nobody knows any more; an answer taken for one of ours would be a hole in a block.
 */
static void
forget_uploads(struct cachemgr *cm)
{
	for (uint32_t u = 0; u < cm->shm->geo.nuploaders; u++) {
		ipc_ring_skip_dead(&cm->up[u].in);
		ipc_ring_reset_dead(&cm->up[u].out);
	}
	for (uint32_t i = 0; i < cm->nxfers; i++)
		cm->xfer[i].use = cm->env->epoch << 24; /* nor may a late one look like ours */
}

/* The cache file: opened once, by the first cachemgr of a disk; its successors get it back. */
static void
open_cache(struct cachemgr *cm, struct cachefile *cf)
{
	struct role_env *env = cm->env;
	int *handed = &env->fd[ROLE_FD_CACHE];
	char why[1024] = "";
	int error;

	if (*handed >= 0)
		error = cachefile_adopt(*handed, env->conf, cm->shm, cf, why, sizeof(why));
	else
		error = cachefile_open(env->conf, cm->shm, cf, why, sizeof(why));
	if (error < 0)
		role_fail(env, "%s", why);
	if (*handed < 0 && (error = role_send(env->ctl_fd, ROLE_FD, "cache", 6, &cf->fd, 1)) < 0)
		role_fail(env, "cannot hand over the cache file: %s", strerror(-error));
	cm->cache_fd = cf->fd;
	cm->file = !cf->memory;
}

/* What is in the file is not this mount's: it shows in no figure, and nothing of it is touched. */
_Noreturn static void
refuse_changes(struct cachemgr *cm)
{
	uint32_t dirty = cm->ndirty;
	unsigned long long deletes = cm->npending;

	atomic_store(&cm->st->dirty_blocks, 0);
	atomic_store(&cm->st->pending_deletes, 0);
	role_fail(cm->env,
	    "%s holds changes that were never uploaded (%u blocks, %llu deletions), and since then "
	    "the "
	    "disk was mounted elsewhere, or its mount token was released: start --dirty=upload "
	    "puts them "
	    "over what the bucket has now, start --dirty=set-aside keeps the file under another "
	    "name and "
	    "goes on without it (s3backerctl(8), FENCED DISKS)",
	    cm->env->conf->cache_file, dirty, deletes);
}

/* The token has been ours all the time since: nobody else can have had the disk (rule W2). */
static bool
is_our_token(const struct cachemgr *cm, const struct cachefile *cf)
{
	return (cf->token != 0 && cf->token == atomic_load(&cm->st->token));
}

int
cachemgr_open(struct cachemgr *cm, struct role_env *env)
{
	bool first = env->epoch <= 1;
	struct cachefile cf;
	uint64_t slots;
	int r;

	cm->env = env;
	cm->shm = env->shm;
	(void)pthread_mutex_init(&cm->fe_lock, NULL);
	cm->ctr = env->counters;
	cm->st = env->state;
	cm->now_us = cm->rate_since_us = now_us();
	cm->barrier = 1;
	cm->checking = env->conf->debug;
	cm->write_delay_us = env->conf->write_delay_us;
	cm->part_bytes = fetch_part_bytes(cm->shm);
	cm->send_passed = !conf_is_set(env->conf, CONF_blockCacheWriteDelay);
	cm->max_dirty_age_us = env->conf->max_dirty_age_us;
	slot_table_attach(&cm->tab, cm->shm);
	slots = conf_max_dirty_slots(env->conf, cm->shm->geo.block_size);
	settings_max_dirty(cm, slots);
	open_cache(cm, &cf);
	if (cm->confine != NULL)
		cm->confine(env);
	if ((r = attach_rings(cm)) < 0 || (r = sched_open(cm)) < 0 || (r = bop_open(cm)) < 0 ||
	    (r = evict_open(cm)) < 0 || (r = readahead_open(cm)) < 0 || (r = sent_open(cm)) < 0)
		return (r);
	cm->limbo = calloc(cm->shm->geo.nslots, sizeof(uint32_t));
	cm->free_slot = calloc(cm->shm->geo.nslots, sizeof(uint32_t));
	cm->side_used = calloc(cm->shm->geo.nslots, 1);
	if (cm->limbo == NULL || cm->free_slot == NULL || cm->side_used == NULL)
		return (-ENOMEM);
	if (cm->file && (r = commit_open(cm, &cf, first)) < 0) {
		if (r == -EKEYREJECTED)
			refuse_changes(cm);
		return (r);
	}
	if (!first) {
		forget_uploads(cm);
		memset(cm->side_used, cm->file, cm->shm->geo.nslots); /* for all we know */
		if ((r = rebuild_from_segment(cm)) < 0)
			return (r);
	} else if (cm->file && !cf.fresh) {
		if ((r = warm_open(cm,
			 cf.synced && (is_our_token(cm, &cf) || env->conf->cache_no_verify))) < 0)
			return (r);
	}
	if ((first && cf.unclean) || atomic_load(&cm->st->unclean) != 0)
		landing_await(cm);
	slots_open(cm);
	huge_open(cm);
	lease_open(cm);
	cm->shared = env->conf->shared_disk_mode;
	cm->sync = env->conf->cache_sync || cm->shared;
	settings_through(cm);
	if ((r = expire_set(cm, env->conf->cache_timeout_us)) < 0)
		return (r);
	page_open(cm);
	cm->survey_wanted = env->conf->list_blocks && !cm->shared && !cm->survey_lazy &&
			    atomic_load(&cm->st->survey_next) < cm->shm->geo.nblocks;
	return (0);
}

static int
drain_frontend(struct cachemgr *cm)
{
	struct ipc_msg m;
	int n = 0, error = 0;

	while (n < BATCH && (error = ipc_ring_pop(&cm->fe.in, &m)) == 0) {
		request_handle(cm, &m);
		n++;
	}
	/* Until s3backerd has replaced it: request_bury() makes the ring good again. */
	if (error == -EPROTO) {
		ctr_inc(cm->ctr, bad_messages);
		log_err(error, "the ring from the frontend is damaged");
	}
	return (n);
}

static int
drain_uploaders(struct cachemgr *cm)
{
	struct ipc_msg m;
	int n = 0;

	for (uint32_t u = 0; u < cm->shm->geo.nuploaders; u++) {
		int error = 0;

		for (int k = 0; k < BATCH && (error = ipc_ring_pop(&cm->up[u].in, &m)) == 0;
		     k++, n++)
			sched_handle(cm, u, &m);
		if (error == -EPROTO)
			sched_give_up(u, error);
	}
	return (n);
}

/* A ring whose index cannot be holds nothing; and the command that ends its frontend must get through. */
static bool
fe_is_quiet(const struct cachemgr *cm)
{
	uint32_t used = ipc_ring_used(&cm->fe.in);

	return (used == 0 || used > cm->fe.in.nmsg);
}

/* Only with an empty frontend ring: what was acknowledged before a command must be known by then.
 */
static int
drain_supervisor(struct cachemgr *cm)
{
	struct ipc_msg m;
	int n = 0;

	while (fe_is_quiet(cm) && ipc_ring_pop(&cm->sup.in, &m) == 0) {
		super_handle(cm, &m);
		n++;
	}
	return (n);
}

static void
run_retries(struct cachemgr *cm)
{
	struct bop *b, *next;

	for (b = TAILQ_FIRST(&cm->retry_wait); b != NULL; b = next) {
		next = TAILQ_NEXT(b, retry);
		if (b->retry_us > cm->now_us)
			continue;
		TAILQ_REMOVE(&cm->retry_wait, b, retry);
		b->on_retry = 0;
		if (b->on_dirty)
			writeback_later(cm, b, 0);
		bop_kick(cm, b);
	}
}

/* Everything that may go on now, of what is not tied to one message. */
static void
run_work(struct cachemgr *cm)
{
	if (cm->nlimbo > 0)
		slots_limbo(cm);
	kick_queue(cm, &cm->hazard_wait);
	bop_promises_old(cm);
	run_retries(cm);
	fetch_run(cm);
	lease_run(cm);
	if (cm->survey_wanted && cm->now_us >= cm->survey_retry_us)
		survey_start(cm);
	scrub_run(cm);
	if (!cm->stopping || !cm->keep_dirty) {
		delete_run(cm);
		writeback_run(cm);
	}
	if (cm->commit != NULL)
		commit_turn(cm);
	barrier_check(cm);
	expire_run(cm);
	evict_turn(cm);
	if (cm->room_made) {
		cm->room_made = false;
		kick_queue(cm, &cm->room_wait);
	}
}

static void
ring_bells(struct cachemgr *cm)
{
	const int *fd = cm->env->fd;

	for (uint32_t u = 0; u < cm->shm->geo.nuploaders; u++) {
		if (cm->up_rung[u])
			ipc_bell_ring(
			    shm_bell(cm->shm, PROC_UPLOADER0 + u), fd[ROLE_FD_UPBELL0 + u]);
		cm->up_rung[u] = false;
	}
	if (cm->fe_rung)
		ipc_bell_ring(shm_bell(cm->shm, PROC_FRONTEND), -1);
	if (cm->sup_rung)
		ipc_bell_ring(shm_bell(cm->shm, PROC_SUPERVISOR), fd[ROLE_FD_SUPBELL]);
	cm->fe_rung = cm->sup_rung = false;
}

uint64_t
cachemgr_deadline(struct cachemgr *cm)
{
	uint64_t at = cm->now_us + BEAT_US, t = writeback_deadline(cm);

	if (t < at)
		at = t;
	if (cm->npending > cm->ndeletes &&
	    (t = cm->pend_since_us + cm->write_delay_us) > cm->now_us && t < at)
		at = t;
	if ((t = lease_deadline(cm)) < at)
		at = t;
	if ((t = scrub_deadline(cm)) < at)
		at = t;
	if ((t = expire_deadline(cm)) < at)
		at = t;
	if (landing_quiet(cm) && cm->quiet_until_us < at)
		at = cm->quiet_until_us;
	if (cm->survey_wanted && cm->survey_retry_us < at)
		at = cm->survey_retry_us;
	return (at > cm->now_us ? at : cm->now_us + 1000);
}

int
cachemgr_turn(struct cachemgr *cm)
{
	int work;

	cm->now_us = now_us();
	if (cm->commit != NULL)
		commit_collect(cm);
	work = drain_frontend(cm);
	work += drain_uploaders(cm);
	work += drain_supervisor(cm);
	run_work(cm);
	ring_bells(cm);
	atomic_store(&cm->env->me->beat_us, cm->now_us);
	if (cm->checking && (work > 0 || cm->stopping))
		slots_check(cm);
	if (work == 0)
		throttle_update(cm);
	return (work + (cm->room_made ? 1 : 0));
}
