/* SPDX-License-Identifier: ISC */
#include "supervisor/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/msg.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/command.h"
#include "supervisor/helper.h"
#include "supervisor/mount.h"
#include "supervisor/notify.h"
#include "supervisor/phase.h"
#include "supervisor/status.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define LEAVE_LIMIT_US (10 * US_PER_S) /* SIGTERM to SIGKILL */
#define DRAIN_RETRY_US (5 * US_PER_S)

static void on_drained(struct super *, void *arg, int status);

/* What the bucket lacks at the end; it may be there because the start failed half-way. */
static void
note_what_is_left(struct super *s)
{
	const struct ipc_state *st = shm_state(&s->shm);

	s->left_dirty = status_dirty_bytes(s);
	s->left_changes = s->left_dirty > 0 || atomic_load(&st->pending_deletes) > 0;
	s->fenced = atomic_load(&st->fenced) != 0;
	if (s->left_changes && s->conf->cache_file == NULL)
		log_event(EVENT_LOST, LEVEL_ERR, "changes in memory are lost: dirty_bytes=%llu",
		    (unsigned long long)s->left_dirty);
}

void
stop_begin_ending(struct super *s)
{
	if (s->phase >= PHASE_ENDING)
		return;
	s->phase = PHASE_ENDING;
	notify_drop(s);
	note_what_is_left(s);
	helper_kill(s);
	if (s->mounted)
		mount_detach(s->conf->mount_point);
	s->mounted = false;
	atomic_store(&shm_state(&s->shm)->stopping, 1);
	for (uint32_t p = PROC_FRONTEND; p < s->nprocs; p++)
		bury_ask_to_leave(s, &s->role[p], LEAVE_LIMIT_US);
}

void
stop_send(struct super *s)
{
	struct ipc_msg m = {
	    .type = IPC_STOP, .slot = IPC_NO_SLOT, .flags = s->keep_dirty ? IPC_F_KEEP_DIRTY : 0};

	s->stop_retry_us = TIME_NEVER;
	if (command_send(s, m, on_drained, NULL) < 0)
		s->stop_retry_us = deadline_in_us(DRAIN_RETRY_US);
}

static void
on_drained(struct super *s, void *arg, int status)
{
	(void)arg;
	if (s->phase != PHASE_DRAINING)
		return;
	/* What is in memory alone is not given up: try again until the bucket has it. */
	if (status < 0 && s->conf->cache_file == NULL) {
		log_err(status, "changes could not be uploaded yet, trying again");
		s->stop_retry_us = deadline_in_us(DRAIN_RETRY_US);
		return;
	}
	if (status < 0)
		log_err(status, "cachemgr could not finish; changes stay in the cache file");
	stop_begin_ending(s);
}

/* The mount is gone, so nothing new comes.  Bring what is there to the bucket, or keep it. */
void
stop_begin_drain(struct super *s)
{
	struct role *fe = &s->role[PROC_FRONTEND];

	s->phase = PHASE_DRAINING;
	cold_cancel(s);
	notify_drop(s);
	if (!s->conf->drain_on_stop && s->conf->cache_file != NULL)
		s->keep_dirty = true;
	atomic_store(&shm_state(&s->shm)->disk_state, DISK_STOPPING);
	bury_ask_to_leave(s, fe, LEAVE_LIMIT_US);
	if (s->handed.fuse >= 0)
		close(s->handed.fuse);
	s->handed.fuse = -1;
	if (s->role[PROC_CACHEMGR].state == ROLE_GONE) {
		stop_begin_ending(s);
		return;
	}
	log_info("%s: dirty_bytes=%llu",
	    s->keep_dirty ? "stopping, changes stay in the cache file" : "uploading what is left",
	    (unsigned long long)status_dirty_bytes(s));
	stop_send(s);
}

int
phase_stop(struct super *s, bool keep_dirty)
{
	int r;

	switch (s->phase) {
	case PHASE_ROLES:
	case PHASE_PROBING:
		s->stop_wanted = true;
		if (s->letter !=
		    NULL) { /* a restart: soon it runs again, and can be stopped well */
			s->keep_dirty = keep_dirty;
			return (0);
		}
		super_fail(s, "stopped before it was ready");
		return (0);
	case PHASE_RUNNING:
		s->keep_dirty = keep_dirty;
		if (s->cold_step != COLD_NONE) { /* the new one does it */
			s->stop_wanted = true;
			return (0);
		}
		if (s->helper.kind == HELPER_TRIAL) { /* phase_trial_ended() goes on */
			s->stop_wanted = true;
			helper_kill(s);
			return (0);
		}
		s->restart_next = 0;
		s->phase = PHASE_UNMOUNTING;
		if ((r = helper_start_umount(s)) < 0)
			phase_unmounted(s, r);
		return (0);
	case PHASE_DRAINING:
		/* A change of mind: the network is away, and the machine must go down. */
		if (keep_dirty && !s->keep_dirty) {
			s->keep_dirty = true;
			stop_send(s);
		}
		return (0);
	case PHASE_DETACHED:
	case PHASE_UNMOUNTING:
		s->keep_dirty = s->keep_dirty || keep_dirty;
		return (0);
	default:
		return (0);
	}
}
