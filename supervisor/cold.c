/* SPDX-License-Identifier: ISC */
#include "supervisor/cold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/msg.h"
#include "ipc/shm.h"

#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/handover.h"
#include "supervisor/notify.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define LEAVE_LIMIT_US (15 * US_PER_S) /* the frontend takes up to ten for what it has read */

static void
fail(struct super *s, const char *why)
{
	log_err(0, "not restarted, going on with the processes of before: %s", why);
	s->cold_step = COLD_NONE;
	s->resize_to = 0;
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++) {
		struct role *r = &s->role[p];

		if (r->pid == 0 && r->state == ROLE_GONE) {
			r->state = ROLE_WAITING;
			r->respawn_us = now_us();
		}
	}
	notify_keep(s);
	control_restart_refused(s, why);
}

void
cold_cancel(struct super *s)
{
	if (s->cold_step == COLD_NONE)
		return;
	s->cold_step = COLD_NONE;
	s->resize_to = 0;
	control_restart_refused(s, "the disk was unmounted");
}

static void
on_stopped(struct super *s, void *arg, int status)
{
	(void)arg;
	if (s->cold_step != COLD_STOP)
		return;
	/* cachemgr takes no more work, so there is no way back but by a new one. */
	s->cold_step = COLD_LEAVE;
	s->cold_status = status;
	for (uint32_t p = PROC_CACHEMGR; p < s->nprocs; p++)
		bury_ask_to_leave(s, &s->role[p], LEAVE_LIMIT_US);
}

static void
ask_to_stop(struct super *s)
{
	struct ipc_msg m = {.type = IPC_STOP,
	    .slot = IPC_NO_SLOT,
	    .flags = s->conf->cache_file != NULL ? IPC_F_KEEP_DIRTY : 0};

	s->cold_step = COLD_STOP;
	if (command_send(s, m, on_stopped, NULL) < 0)
		fail(s, strerror(ENOMEM));
}

static void
end_frontend(struct super *s)
{
	struct role *fe = &s->role[PROC_FRONTEND];

	s->cold_step = COLD_FRONTEND;
	bury_ask_to_leave(s, fe, LEAVE_LIMIT_US);
	if (fe->pid == 0) /* it had just died */
		ask_to_stop(s);
}

static void
on_synced(struct super *s, void *arg, int status)
{
	(void)arg;
	if (s->cold_step != COLD_SYNC)
		return;
	if (status < 0)
		fail(s, strerror(-status));
	else
		end_frontend(s);
}

void
cold_begin(struct super *s)
{
	struct ipc_msg m = {.type = IPC_SYNC, .slot = IPC_NO_SLOT};

	log_info("restarting with a new segment: %s",
	    s->resize_to != 0 ? "another size"
			      : "the new programs have another layout of shared memory");
	notify_drop(s); /* a death from here on is a death without a store */
	if (s->conf->cache_file != NULL) {
		end_frontend(s);
		return;
	}
	s->cold_step = COLD_SYNC;
	if (command_send(s, m, on_synced, NULL) < 0)
		fail(s, strerror(ENOMEM));
}

bool
cold_role_died(struct super *s, const struct role *r)
{
	if (s->cold_step == COLD_LEAVE)
		return (false);
	if (r->proc != PROC_FRONTEND || s->cold_step == COLD_SYNC)
		return (true); /* an accident: its successor takes over the step */
	if (s->cold_step == COLD_FRONTEND)
		ask_to_stop(s);
	return (false);
}

void
cold_timers(struct super *s)
{
	char *error = NULL;

	if (s->cold_step != COLD_LEAVE || !bury_nobody_left(s))
		return;
	if (s->cold_status < 0)
		fail(s, strerror(-s->cold_status));
	else if (handover_exec_cold(s, &error) < 0)
		fail(s, error != NULL ? error : "it cannot be executed");
	free(error);
}
