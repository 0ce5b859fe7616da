/* SPDX-License-Identifier: ISC */
#include "supervisor/heart.h"

#include <stdio.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

#define SILENT_US (10 * US_PER_S) /* awake without a turn of the main loop */

static const char *
name_of(const struct role *r)
{
	static char buf[32];

	return (proc_name(r->proc, buf, sizeof(buf)));
}

/*
 * A role that sleeps has no heartbeat and needs none.  One that is awake, or has been rung, and
 * does not come round is stuck: in a system call, or stopped.
 */
static bool
is_silent(const struct super *s, const struct role *r, uint64_t now)
{
	struct ipc_bell *b = shm_bell(&s->shm, r->proc);
	uint64_t beat = atomic_load(&shm_proc(&s->shm, r->proc)->beat_us);
	bool asleep = atomic_load(&b->asleep) != 0 && atomic_load(&b->rung) == 0 &&
		      now < atomic_load(&b->wake_us);

	return (!asleep && beat != 0 && now > beat && now - beat > SILENT_US);
}

/* Reported, not yet replaced: a later stage decides who may be killed for being slow. */
void
heart_look(struct super *s, struct role *r, uint64_t now)
{
	bool silent = is_silent(s, r, now);

	if (silent && !r->hung)
		log_err(0, "%s does not move: pid=%d silent_s=%llu", name_of(r), (int)r->pid,
		    (unsigned long long)((now - atomic_load(&shm_proc(&s->shm, r->proc)->beat_us)) /
					 US_PER_S));
	if (!silent && r->hung)
		log_info("%s moves again: pid=%d", name_of(r), (int)r->pid);
	r->hung = silent;
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
