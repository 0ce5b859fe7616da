/* SPDX-License-Identifier: ISC */
/*
 * main.c -- s3backer-frontend: the file system that the kernel talks to.
 *
 * Threads:  the main thread takes cachemgr's answers and does what is due ("completion thread");
 *           2 per core read the kernel's requests and serve what the cache has.  None of these ever
 *           waits for a block, a flush or the throttle.
 * Ends:     0 when the mount has ended or we were told to stop; 2 when it cannot take over a mount.
 *           It may be killed at any instruction; its successor takes over (resume.c).
 *
 * Reading order: hit.c, request.c, channel.c; then session.c and resume.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/confine.h"
#include "common/log.h"
#include "common/role.h"
#include "common/slice.h"
#include "common/timeutil.h"

#include "frontend/channel.h"
#include "frontend/hit.h"
#include "frontend/iobuf.h"
#include "frontend/request.h"
#include "frontend/resume.h"
#include "frontend/session.h"
#include "frontend/throttle.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define BATCH	     256
#define BEAT_US	     US_PER_S
#define STOP_WAIT_US (10 * US_PER_S) /* for what was read before we were told to stop */

struct frontend {
	struct volume volume;
	struct session *session;
	struct lane lane; /* of the completion thread */
};

static void
frontend_open(struct frontend *fe, struct role_env *env)
{
	struct volume *v = &fe->volume;
	char *why = NULL;
	int r;

	if (env->shm == NULL || env->fd[ROLE_FD_FUSE] < 0 || env->fd[ROLE_FD_CACHE] < 0)
		role_fail(env, "a descriptor is missing");
	if ((r = volume_open(v, env)) < 0)
		role_fail(env, "cannot map the cache: %s", strerror(-r));
	if ((r = channel_open(v, &v->channel)) < 0 || (r = throttle_open(&v->throttle)) < 0 ||
	    (r = session_open(v, &fe->session)) < 0)
		role_fail(env, "cannot start: %s", strerror(-r));
	lane_init(&fe->lane, v, 0);
	if ((fe->lane.buf = iobuf_get()) == NULL)
		role_fail(env, "cannot start: %s", strerror(ENOMEM));
	slice_set(SLICE_SHORT_US);
	/* We are below a file system: memory the kernel frees for us must not wait for us. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	if ((r = confine_role_why("frontend", env->conf, NULL, &why)) < 0)
		role_fail(env, "%s", why != NULL ? why : strerror(-r));
}

/*
 * cachemgr clears the hazard lines when it buries our predecessor.  Until it has, ours could be
 * cleared with them: touch no slot before.
 */
static void
await_burial(struct role_env *env)
{
	uint64_t next_line = now_us() + 5 * US_PER_S;

	while (atomic_load(&env->me->buried_by) + 1 < env->epoch && !role_stop_requested &&
	       !role_orphaned(env)) {
		ipc_bell_clear(env->bell, -1);
		ipc_bell_wait(env->bell, now_us() + 5 * US_PER_MS);
		atomic_store(&env->me->beat_us, now_us());
		if (now_us() >= next_line) {
			log_warn("waiting for the cache manager to bury the last frontend");
			next_line += 60 * US_PER_S;
		}
	}
}

/* One turn; returns how much there was to do. */
static unsigned
turn(struct frontend *fe, uint64_t now, uint64_t *ret_deadline)
{
	struct volume *v = &fe->volume;
	unsigned work = channel_drain(v->channel, BATCH, request_answered, &fe->lane);
	uint64_t due = throttle_run(v->throttle, now);

	*ret_deadline = min_u64(due, channel_tend(v->channel, now));
	/* Whom the throttle holds waits for us as well, should we not move any more. */
	atomic_store(&v->env->state->fe_waiting,
	    (uint32_t)channel_unanswered(v->channel) + (due != TIME_NEVER));
	atomic_store(&v->env->me->beat_us, now);
	return (work);
}

static void
serve(struct frontend *fe, struct role_env *env)
{
	uint64_t orphan_check = 0;

	for (;;) {
		uint64_t now = now_us(), deadline;

		ipc_bell_clear(env->bell, -1);
		if (role_stop_requested || atomic_load(&fe->volume.ended) != 0)
			return;
		if (now >= orphan_check) {
			if (role_orphaned(env)) {
				log_warn("s3backerd is gone: finishing");
				return;
			}
			orphan_check = now + BEAT_US;
		}
		if (turn(fe, now, &deadline) == 0)
			ipc_bell_wait(env->bell, min_u64(deadline, now + BEAT_US));
	}
}

/* No new requests; those that were read are answered if it does not take too long. */
static void
finish(struct frontend *fe, struct role_env *env)
{
	uint64_t until = deadline_in_us(STOP_WAIT_US);

	session_stop(fe->session);
	while (atomic_load(&fe->volume.ended) == 0 && now_us() < until) {
		uint64_t deadline;

		ipc_bell_clear(env->bell, -1);
		if (turn(fe, now_us(), &deadline) > 0)
			continue;
		if (channel_unanswered(fe->volume.channel) == 0 && deadline == TIME_NEVER)
			return;
		ipc_bell_wait(env->bell, min_u64(deadline, now_us() + 50 * US_PER_MS));
	}
}

int
main(void)
{
	static struct frontend fe;
	static struct role_env env;
	int r;

	role_start(&env);
	frontend_open(&fe, &env);
	if (role_ready(&env, "") < 0)
		return (ROLE_EXIT_NEVER);
	await_burial(&env);
	if ((r = resume_take_over(&fe.volume)) < 0) {
		log_err(r, "cannot take over the mount%s",
		    r == -ENOSYS ? ": this needs Linux 6.9 or later" : "");
		return (ROLE_EXIT_NEVER);
	}
	if ((r = session_start(fe.session)) < 0) {
		log_err(r, "cannot start threads");
		return (ROLE_EXIT_AGAIN);
	}
	serve(&fe, &env);
	finish(&fe, &env);
	session_close(&fe.session);
	channel_close(&fe.volume.channel);
	throttle_close(&fe.volume.throttle);
	volume_close(&fe.volume);
	log_flush();
	return (ROLE_EXIT_DONE);
}
