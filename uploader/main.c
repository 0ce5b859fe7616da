/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backer-uploader: moves blocks between the cache and the store.
 *
 * Process:  one of a pool; the only role with network access and keys.
 * Threads:  this one, which runs all transfers; two that hash; one that renews credentials, where
 *           they can change (which has a process of its own to read files, cred_reader.h); for a
 *           directory store eight more.
 * Priority: below the others while it sends, see priority.c.
 * Stops:    on SIGTERM, or when s3backerd is gone: finishes what is in flight, gives back what is
 *           waiting for a retry, leaves.
 * Exit:     0 done, 1 respawn me, 2 do not respawn me (role.h).
 *
 * Without a segment it is the store tool: see tool.c.
 */
#include <errno.h>
#include <gcrypt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/confine.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/bell.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "uploader/codec.h"
#include "uploader/cred_reader.h"
#include "uploader/credentials.h"
#include "uploader/jobs.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define HASH_THREADS	2
#define MESSAGES_A_TURN 64
#define LOOK_AROUND_US	(200 * US_PER_MS) /* is s3backerd still there? */
#define STALE_LOOK_US	(3 * US_PER_S)	  /* are the files that may be read still these? */

/* A share of something of the whole pool, at least one. */
static unsigned
share(const struct uploader *up, unsigned n)
{
	uint32_t pool = up->env->shm->geo.nuploaders;

	return ((unsigned)max_u64(div_up(n, pool), 1));
}

static int
open_store(struct uploader *up, char **ret_error)
{
	struct role_env *env = up->env;
	const struct shm_geometry *g = &env->shm->geo;
	struct conf *conf = env->conf;
	struct store_env se = {
	    .conf = conf,
	    .loop = &up->loop,
	    .jobs = up->jobs,
	    .codec = up->codec,
	    .reader = up->reader,
	    .counters = env->counters,
	    .state = env->state,
	    .pool = shm_pool(env->shm),
	    .names = {conf->prefix_full, strlen(conf->prefix_full), conf->block_hash_prefix,
		g->nblocks},
	    .block_size = g->block_size,
	    .file_size = g->nblocks * g->block_size,
	    .max_transfers = share(up, conf_max_transfers(conf, g->block_size)),
	    .nprocesses = g->nuploaders,
	};

	return (store_open(&se, conf->store_is_dir, &up->store, ret_error));
}

static void
open_policies(struct uploader *up)
{
	const struct conf *conf = up->env->conf;

	up->get_policy =
	    (struct retry_policy){conf->initial_retry_pause_us, conf->max_retry_pause_us};
	up->change_policy = (struct retry_policy){conf->initial_retry_pause_us, 0};
	/* The lease ends whatever we do: cachemgr is told in time to ask again. */
	up->token_policy =
	    (struct retry_policy){min_u64(conf->initial_retry_pause_us, US_PER_S), 5 * US_PER_S};
	up->settle_us = conf->timeout_us;
	for (unsigned i = 0; i < POOL_WAYS; i++) {
		up->way[i].outage = &shm_pool(up->env->shm)->way[i].outage;
		up->way[i].outages_seen = atomic_load(&up->way[i].outage->ended);
	}
}

static int
uploader_open(struct uploader *up, struct role_env *env, char **ret_error)
{
	struct confine_slots slots = {env->fd[ROLE_FD_CACHE], shm_slot_off(env->shm, 0),
	    shm_slot_off(env->shm, env->shm->geo.nslots)};
	int error;

	up->env = env;
	TAILQ_INIT(&up->work);
	if (env->fd[ROLE_FD_CACHE] < 0)
		return (-EBADF);
	if (credentials_need_reader(env->conf) &&
	    (error = cred_reader_start(env->conf, &up->reader)) < 0)
		return (error);
	if ((error = slot_cache_open(&up->cache, env->fd[ROLE_FD_CACHE], env->shm)) < 0)
		return (error);
	priority_open(up); /* before the threads */
	if ((error = confine_role_why("uploader", env->conf, &slots, ret_error)) < 0 ||
	    (error = loop_open(&up->loop)) < 0 || (error = peer_open(up)) < 0 ||
	    (error = jobs_open(HASH_THREADS, &up->loop, &up->jobs)) < 0 ||
	    (error = codec_open(env->conf, &up->codec, ret_error)) < 0 ||
	    (error = open_store(up, ret_error)) < 0)
		return (error);
	if (codec_lacks_key(up->codec)) { /* s3backerd has it from detect or key-make */
		*ret_error = strdup("encrypt: no key object that the password opens");
		return (-ENOKEY);
	}
	/* The key was derived from it. */
	if (env->conf->password != NULL)
		explicit_bzero(env->conf->password, strlen(env->conf->password));
	open_policies(up);
	priority_puts(up, 0);
	return (0);
}

static void
uploader_close(struct uploader *up)
{
	store_close(&up->store);
	jobs_close(&up->jobs);
	codec_close(&up->codec);
	loop_close(&up->loop);
	cred_reader_end(&up->reader);
	free(up->outbox);
}

static void
leave_when_told(struct uploader *up)
{
	if (up->leaving || (!role_stop_requested && !role_orphaned(up->env)))
		return;
	up->leaving = true;
	log_debug("leaving: requests=%u", up->nwork);
	work_leave(up);
}

/* Names and certificates were replaced: only another process may read the new ones. */
static void
leave_when_stale(struct uploader *up, uint64_t now)
{
	const char *path;

	if (up->leaving || now < up->stale_look_us)
		return;
	up->stale_look_us = now + STALE_LOOK_US;
	if ((path = confine_stale()) == NULL)
		return;
	log_info("%s was replaced: another one starts, which may read it", path);
	up->leaving = up->stale = true;
	work_leave(up);
}

static void
run(struct uploader *up)
{
	struct role_env *env = up->env;
	uint64_t next_look = 0;

	while (!up->leaving || up->nwork > 0 || up->hedges.running > 0 || up->out_n > 0) {
		uint64_t now = now_us(), deadline;
		int work;

		ipc_bell_clear(env->bell, up->bell_fd);
		if (now >= next_look || role_stop_requested) {
			leave_when_told(up);
			leave_when_stale(up, now);
			work_look_around(up);
			next_look = now + LOOK_AROUND_US;
		}
		/* What comes after the order to leave stays in the ring, for the next of us. */
		work = up->leaving ? 0 : peer_receive(up, MESSAGES_A_TURN);
		peer_flush(up);
		atomic_store(&env->me->beat_us, now);
		if (up->leaving && role_orphaned(env) && up->nwork == 0)
			break;
		deadline = min_u64(loop_next(&up->loop), next_look);
		if (up->out_n > 0)
			deadline = min_u64(deadline, now + US_PER_MS);
		if (work > 0 || !ipc_bell_may_sleep(env->bell, deadline))
			deadline = 0;
		(void)loop_turn(&up->loop, deadline);
		peer_flush(up);
	}
}

static int
uploader_main(struct role_env *env)
{
	struct uploader up = {.bell_fd = -1, .loop.epfd = -1};
	char *why = NULL;
	int error;

	error = uploader_open(&up, env, &why);
	if (error < 0)
		role_fail(env, "%s", why != NULL ? why : strerror(-error));
	if ((error = role_ready(env, up.store->backend->name)) == 0)
		run(&up);
	uploader_close(&up);
	return (error < 0 || up.stale ? ROLE_EXIT_AGAIN : ROLE_EXIT_DONE);
}

int
main(void)
{
	static struct role_env env; /* outlives main(): a signal may still come */
	int code;

	/* One arena: the threads of the pool allocate next to nothing, and arenas hold on to memory. */
	(void)mallopt(M_ARENA_MAX, 1);
	role_start(&env);
	if (gcry_check_version(GCRYPT_VERSION) == NULL)
		role_fail(&env, "libgcrypt is older than the one this program was built with");
	(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	code = env.shm != NULL ? uploader_main(&env) : tool_main(&env);
	conf_free(env.conf); /* which wipes the keys */
	return (code);
}
