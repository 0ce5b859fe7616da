/* SPDX-License-Identifier: ISC */
#include "supervisor/heart.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

#define HUNG_US	      (5 * US_PER_S) /* awake without a turn of the main loop */
#define GAP_US	      (2 * US_PER_S) /* between two looks: more than that is our own fault */
#define PATIENCE_MOST 5		     /* doublings */

static const char *
name_of(const struct role *r)
{
	static char buf[32];

	return (proc_name(r->proc, buf, sizeof(buf)));
}

static uint64_t
hung_us(void)
{
#ifdef S3B_INJECT
	const char *ms = getenv("S3BACKERD_TEST_HUNG_MS"); /* tests need not wait that long */

	if (ms != NULL)
		return (strtoull(ms, NULL, 10) * US_PER_MS);
#endif
	return (HUNG_US);
}

/* SIGSTOP, or a debugger: third field of /proc/PID/stat, after the name in parentheses. */
static bool
is_stopped(pid_t pid)
{
	char path[64], line[512], *end;
	AUTO_FILE FILE *f = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		return (false);
	end = strrchr(line, ')');
	return (end != NULL && (end[2] == 'T' || end[2] == 't'));
}

/*
 * A role that sleeps has no heartbeat and needs none.  One that is awake, or has been rung, or has
 * slept longer than it meant to, and does not come round is stuck: in a system call, or stopped.
 */
static bool
stands_still(const struct super *s, struct role *r, uint64_t now)
{
	struct ipc_bell *b = shm_bell(&s->shm, r->proc);
	uint64_t beat = atomic_load(&shm_proc(&s->shm, r->proc)->beat_us);
	bool asleep = atomic_load(&b->asleep) != 0 && atomic_load(&b->rung) == 0 &&
		      now < atomic_load(&b->wake_us);
	bool same = beat == r->beat_us;

	r->beat_us = beat;
	if (r->state == ROLE_STARTING) /* it may allocate a large file: no beat, and no harm */
		return (is_stopped(r->pid));
	return (same && beat != 0 && !asleep);
}

/* Requests of the kernel that have no answer yet. */
static bool
users_wait(const struct super *s)
{
	const struct ipc_serving *serving = shm_area(&s->shm, SHM_SERVING);
	struct pollfd p = {.fd = s->handed.fuse, .events = POLLIN};
	char path[80], line[32];
	AUTO_FILE FILE *f = NULL;

	if (!s->mounted)
		return (false);
	if (atomic_load(&shm_state(&s->shm)->fe_waiting) > 0)
		return (true);
	for (unsigned i = 0; i < IPC_HAZ_LINES; i++)
		if (atomic_load_explicit(&serving[i].request, memory_order_relaxed) != 0)
			return (true);
	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/waiting", s->fuse_minor);
	if ((f = fopen(path, "re")) != NULL && fgets(line, sizeof(line), f) != NULL)
		return (strtoul(line, NULL, 10) > 0);
	return (poll(&p, 1, 0) > 0); /* those at least that nobody has read */
}

static bool
has_messages(const struct super *s, enum shm_area area, uint32_t index)
{
	struct ipc_ring_end e;

	return (ipc_ring_attach(shm_ring(&s->shm, area, index), s->shm.geo.ring_msgs, &e) == 0 &&
		ipc_ring_used(&e) > 0);
}

static bool
holds_others_up(const struct super *s, const struct role *r)
{
	if (r->state == ROLE_STARTING || users_wait(s) ||
	    atomic_load(&shm_bell(&s->shm, r->proc)->rung) != 0)
		return (true);
	switch (r->proc) {
	case PROC_FRONTEND:
		return (has_messages(s, SHM_RING_CM_FE, 0));
	case PROC_CACHEMGR:
		return (!TAILQ_EMPTY(&s->pending) || has_messages(s, SHM_RING_FE_CM, 0));
	default:
		return (has_messages(s, SHM_RINGS_CM_UP, r->proc - PROC_UPLOADER0) ||
			atomic_load(&shm_state(&s->shm)->in_flight) > 0);
	}
}

static void
report(struct role *r, bool hung)
{
	if (hung && !r->hung)
		log_event(EVENT_HUNG, LEVEL_ERR, "%s does not move: pid=%d still_s=%llu",
		    name_of(r), (int)r->pid, (unsigned long long)(r->still_us / US_PER_S));
	if (!hung && r->hung)
		log_info("%s moves again: pid=%d", name_of(r), (int)r->pid);
	r->hung = hung;
}

void
heart_look(struct super *s, struct role *r, uint64_t now)
{
	uint64_t gap = now - r->looked_us, limit = hung_us();
	unsigned patience = (unsigned)min_u64(r->deaths, PATIENCE_MOST);

	r->looked_us = now;
	if (!stands_still(s, r, now))
		r->still_us = 0;
	else if (gap < GAP_US) /* E3 */
		r->still_us += gap;
	report(r, r->still_us >= limit);
	if (r->still_us < (2 * limit) << patience || r->given_up || !holds_others_up(s, r))
		return;
	log_err(0, "%s holds others up, replacing it: pid=%d still_s=%llu", name_of(r), (int)r->pid,
	    (unsigned long long)(r->still_us / US_PER_S));
	r->given_up = true;
	(void)kill(r->pid, SIGKILL);
}

const char *
heart_degraded(const struct super *s, char *buf, size_t len)
{
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++) {
		const struct role *r = &s->role[p];

		if (r->hung) {
			(void)snprintf(
			    buf, len, "%s (pid %d) does not move", name_of(r), (int)r->pid);
			return (buf);
		}
		if (r->state == ROLE_WAITING && r->deaths > 1) {
			(void)snprintf(
			    buf, len, "%s keeps dying: %u times in a row", name_of(r), r->deaths);
			return (buf);
		}
	}
	return (NULL);
}
