/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backer-cachemgr: owns the slots, and decides what moves between them and the bucket.
 *
 * One thread at a time does everything but the commit's I/O (lead.h).  It never waits for the network or for a
 * disk write of a batch; it sleeps in one place, on its bell.
 */
#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/lead.h"
#include "common/conf.h"
#include "common/confine.h"
#include "common/log.h"
#include "common/slice.h"

/*
 * s3backerd is gone, and with it the mount; the segment goes when the last role does.  What is dirty
 * goes on record in the cache file, for the next start.
 */
static void
last_commit(struct cachemgr *cm)
{
	log_warn("s3backerd is gone: committing and leaving: dirty_blocks=%u", cm->ndirty);
	cm->stopping = cm->keep_dirty = true;
	if (cm->commit == NULL)
		return;
	commit_final(cm, 0);
	while (commit_busy(cm)) {
		ipc_bell_clear(cm->env->bell, -1);
		if (cachemgr_turn(cm) > 0)
			continue;
		if (commit_take_job(cm))
			commit_run(cm);
		else if (commit_busy(cm))
			ipc_bell_wait(cm->env->bell, cachemgr_deadline(cm));
	}
}

/* As soon as the cache file is open, and before there is a second thread. */
static void
confine(struct role_env *env)
{
	int r = confine_role("cachemgr", env->conf);

	if (r < 0)
		role_fail(env, "cannot give up privileges: %s", strerror(-r));
}

int
main(void)
{
	static struct role_env env;
	static struct cachemgr cm = {.confine = confine};
	int r;

	role_start(&env);
	slice_set(SLICE_SHORT_US); /* misses and flushes wait for us */
	/* Checksums only, so no memory that may not be swapped; without this it complains in the log. */
	(void)gcry_check_version(NULL);
	(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	if ((r = cachemgr_open(&cm, &env)) == -EUCLEAN)
		role_fail(&env,
		    "%s: the journal of the cache file is damaged, so what of it is not in the "
		    "bucket yet cannot be told: start --dirty=set-aside keeps the file under "
		    "another name and goes on without it, start --dirty=upload uploads what lies "
		    "before the damage, which may be old",
		    env.conf->cache_file);
	if (r < 0)
		role_fail(&env, "the cache manager cannot start: %s", strerror(-r));
	conf_forget(env.conf, CONF_CACHE);
	if (atomic_load(&env.state->disk_state) == DISK_STARTING)
		atomic_store(&env.state->disk_state, DISK_RUNNING);
	if ((r = role_ready(&env, "")) < 0)
		return (ROLE_EXIT_NEVER);
	if ((r = lead(&cm)) < 0) {
		log_err(r, "cannot start a thread");
		return (ROLE_EXIT_AGAIN);
	}
	if (!role_stop_requested)
		last_commit(&cm);
	/* What was acknowledged lies in the cache file or the segment; nothing is here alone. */
	return (ROLE_EXIT_DONE);
}
