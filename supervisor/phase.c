/* SPDX-License-Identifier: ISC */
#include "supervisor/phase.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/bar.h"
#include "common/conf.h"
#include "common/holders.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/bury.h"
#include "supervisor/control.h"
#include "supervisor/handover.h"
#include "supervisor/health.h"
#include "supervisor/helper.h"
#include "supervisor/mount.h"
#include "supervisor/notify.h"
#include "supervisor/start.h"
#include "supervisor/status.h"
#include "supervisor/stop.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define PROBE_LIMIT_US	 (60 * US_PER_S)
#define RESTART_LIMIT_US (5 * US_PER_S) /* the same, with users waiting */
#define LOOK_US		 (1 * US_PER_S)
#define DETACHED_LOOK_US (20 * US_PER_MS)

const char *
phase_mount_point(const struct super *s)
{
	return (s->conf->mount_point);
}

const char *
phase_name(const struct super *s)
{
	switch (s->phase) {
	case PHASE_ROLES:
	case PHASE_PROBING:
		return ("starting");
	case PHASE_RUNNING:
		return ("running");
	default:
		return ("stopping");
	}
}

/* ---- start ---------------------------------------------------------------------------------- */

static void
start_uploaders(struct super *s)
{
	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs; p++)
		if (bury_start(s, &s->role[p]) < 0)
			return;
}

static void
mount_and_serve(struct super *s)
{
	struct mount_entry e;
	char *error = NULL;

	if (mount_do(s->conf->mount_point, s->opt.config_real, s->handed.fuse, s->conf->read_only,
		&error) < 0) {
		super_fail(s, "%s", error != NULL ? error : "cannot mount");
		free(error);
		return;
	}
	s->mounted = true;
	if (mount_find(s->conf->mount_point, &e) == 0)
		s->fuse_minor = e.minor;
	(void)bury_start(s, &s->role[PROC_FRONTEND]);
}

static void
start_ready(struct super *s, uint32_t proc)
{
	int r;

	if (proc == PROC_CACHEMGR && s->handed.cache < 0)
		super_fail(s, "s3backer-cachemgr did not hand over the cache");
	else if (proc == PROC_CACHEMGR)
		start_uploaders(s);
	else if (proc == PROC_FRONTEND && (r = helper_start_probe(s, PROBE_LIMIT_US)) < 0)
		super_fail(s, "cannot look at the disk: %s", strerror(-r));
	else if (proc == PROC_FRONTEND)
		s->phase = PHASE_PROBING;
	else if (!bury_all_running(s, PROC_UPLOADER0, s->nprocs))
		return;
	else if (s->mounted) /* a cold restart */
		(void)bury_start(s, &s->role[PROC_FRONTEND]);
	else
		mount_and_serve(s);
}

/* The machine went down, or the disk was stopped with --keep-dirty, before the bucket had all. */
static void
note_leftovers(struct super *s)
{
	uint64_t bytes = status_dirty_bytes(s);
	char text[160], a[24];

	if (bytes == 0 || s->letter != NULL)
		return;
	(void)snprintf(text, sizeof(text),
	    "%s that the last run left in the cache file are being uploaded", bar_bytes(bytes, a));
	start_report_note(s, text);
}

void
phase_probed(struct super *s, int err)
{
	uint32_t starting = DISK_STARTING;

	if (s->phase != PHASE_PROBING)
		return;
	if (err == -ETIMEDOUT) {
		super_fail(s, "the file could not be opened within %llu seconds: %s",
		    (unsigned long long)(PROBE_LIMIT_US / US_PER_S), s->file);
		return;
	}
	if (err < 0) {
		super_fail(s, "%s cannot be opened: %s", s->file, strerror(-err));
		return;
	}
	s->phase = PHASE_RUNNING;
	s->was_running = true;
	/* From here on cachemgr says what the disk is doing, unless it already does. */
	(void)atomic_compare_exchange_strong(
	    &shm_state(&s->shm)->disk_state, &starting, DISK_RUNNING);
	log_event(EVENT_READY, LEVEL_INFO, "the disk is ready: file=%s", s->file);
	note_leftovers(s);
	start_report_success(s);
	control_restarted(s);
	notify_keep(s);
	notify_ready(s);
	if (s->stop_wanted)
		(void)phase_stop(s, s->keep_dirty);
}

bool
phase_may_start(const struct super *s, uint32_t proc)
{
	if (proc == PROC_CACHEMGR)
		return (bury_no_uploader_left(s));
	return (s->role[PROC_CACHEMGR].state == ROLE_RUNNING);
}

/* ---- the mount goes away -------------------------------------------------------------------- */

static bool
is_mounted_here(const struct super *s)
{
	struct mount_entry e;

	return (mount_find(s->conf->mount_point, &e) == 0 && strcmp(e.type, MOUNT_TYPE) == 0 &&
		strcmp(e.source, s->opt.config_real) == 0);
}

/* Nobody sees the mount any more; is somebody still using what was mounted? */
static void
mount_left(struct super *s)
{
	s->mounted = false;
	if (!mount_alive(s->handed.fuse)) {
		stop_begin_drain(s);
	} else if (s->phase != PHASE_DETACHED) {
		s->phase = PHASE_DETACHED;
		s->detached_us = now_us();
	}
}

void
phase_mounts_changed(struct super *s)
{
	if (s->phase == PHASE_RUNNING && s->mounted && !is_mounted_here(s)) {
		log_info("the disk was unmounted: dir=%s", s->conf->mount_point);
		mount_left(s);
	}
}

/* The kernel has ended the connection: umount, or somebody wrote to .../connections/N/abort. */
static void
connection_ended(struct super *s)
{
	if (is_mounted_here(s)) {
		log_err(0,
		    "the kernel aborted the connection; users of the disk see errors: dir=%s",
		    s->conf->mount_point);
		mount_detach(s->conf->mount_point);
	}
	s->mounted = false;
	stop_begin_drain(s);
}

void
phase_unmounted(struct super *s, int err)
{
	char who[1024];

	if (s->phase != PHASE_UNMOUNTING)
		return;
	if (err == 0 || err == -EINVAL || err == -ENOENT) {
		s->phase = PHASE_RUNNING; /* so that mount_left() tells the two cases apart */
		mount_left(s);
		return;
	}
	s->phase = PHASE_RUNNING;
	s->keep_dirty = false;
	if (err == -EBUSY) {
		holders_describe(s->conf->mount_point, who, sizeof(who));
		log_warn("not stopped, the disk is in use: dir=%s by=%s", s->conf->mount_point,
		    *who != '\0' ? who : "somebody");
		control_stop_refused(
		    s, "%s is in use by %s", s->conf->mount_point, *who != '\0' ? who : "somebody");
	} else {
		log_err(err, "cannot unmount: dir=%s", s->conf->mount_point);
		control_stop_refused(
		    s, "cannot unmount %s: %s", s->conf->mount_point, strerror(-err));
	}
}

/* ---- failure -------------------------------------------------------------------------------- */

void
phase_failed(struct super *s)
{
	switch (s->phase) {
	case PHASE_ROLES:
	case PHASE_PROBING:
		stop_begin_ending(s);
		break;
	case PHASE_RUNNING:
	case PHASE_DETACHED:
	case PHASE_UNMOUNTING:
		/* Users get errors now rather than wait for what will not come. */
		if (s->mounted)
			mount_detach(s->conf->mount_point);
		s->mounted = false;
		helper_kill(s);
		s->keep_dirty = s->conf->cache_file != NULL;
		stop_begin_drain(s);
		break;
	case PHASE_DRAINING:
		if (s->role[PROC_CACHEMGR].state == ROLE_GONE)
			stop_begin_ending(s);
		break;
	default:
		break;
	}
}

bool
phase_expects_end(const struct super *s, const struct role *r)
{
	return (r->proc == PROC_FRONTEND && s->phase >= PHASE_RUNNING &&
		(s->phase >= PHASE_DRAINING || !mount_alive(s->handed.fuse)));
}

bool
phase_role_died(struct super *s, const struct role *r, bool never, const char *obituary)
{
	bool start_fails = s->phase == PHASE_ROLES || s->phase == PHASE_PROBING;

	if (s->phase >= PHASE_ENDING)
		return (false);
	if (start_fails) {
		if (r->fail[0] != '\0')
			super_fail(s, "%s", r->fail);
		else
			super_fail(s, "s3backer-%s", obituary);
		return (false);
	}
	if (s->cold_step != COLD_NONE)
		return (cold_role_died(s, r));
	if (r->restarting)
		return (true);
	if (phase_expects_end(s, r))
		return (false); /* nothing left to serve: the timer sees the end of the mount */
	/* With changes in memory alone, even a hopeless uploader is better than none. */
	if (never && r->proc >= PROC_UPLOADER0 && s->conf->cache_file == NULL &&
	    status_dirty_bytes(s) > 0) {
		super_fail(s, "%s", r->fail[0] != '\0' ? r->fail : obituary);
		return (true);
	}
	if (never) {
		/* Its row must say that it is gone before it is decided who can still work. */
		s->role[r->proc].state = ROLE_GONE;
		super_fail(s, "%s", r->fail[0] != '\0' ? r->fail : obituary);
		return (false);
	}
	return (true);
}

/* ---- restart -------------------------------------------------------------------------------- */

/* First the frontend; when it is at work again, cachemgr, and with it the uploaders. */
static void
restart_step(struct super *s)
{
	struct role *r = &s->role[s->restart_next];

	if (s->restart_next >= PROC_UPLOADER0) {
		if (!bury_all_running(s, PROC_FRONTEND, s->nprocs))
			return;
		s->restart_next = 0;
		log_info("all processes have been replaced");
		control_restarted(s);
	} else if (r->state == ROLE_RUNNING && !r->restarting) {
		bury_ask_to_leave(s, r, RESTART_LIMIT_US);
		r->restarting = true;
	}
}

int
phase_restart(struct super *s, char **ret_error)
{
	*ret_error = NULL;
	if (s->phase != PHASE_RUNNING || s->restart_next != 0 || s->cold_step != COLD_NONE ||
	    s->helper.kind != HELPER_NONE)
		return (-EBUSY);
	return (handover_try(s, ret_error));
}

void
phase_trial_ended(struct super *s, int code, const char *text)
{
	char *error = NULL;

	if ((code == HANDOVER_OTHER_VERSION || (code == 0 && s->resize_to != 0)) &&
	    s->phase == PHASE_RUNNING && !s->stop_wanted) {
		cold_begin(s);
		return;
	}
	if (code == 0 && s->phase == PHASE_RUNNING && !s->stop_wanted)
		(void)handover_exec(s, &error);
	else if (s->phase != PHASE_RUNNING || s->stop_wanted)
		text = "the disk is being stopped";
	if (error != NULL)
		text = error;
	log_warn("not restarted: %s", text);
	s->resize_to = 0;
	control_restart_refused(s, text);
	free(error);
	if (s->stop_wanted && s->phase == PHASE_RUNNING) {
		s->stop_wanted = false;
		(void)phase_stop(s, s->keep_dirty);
	}
}

void
phase_go_on(struct super *s, bool by_exec)
{
	s->phase = PHASE_RUNNING;
	s->was_running = s->mounted = true;
	log_info("going on with the disk: version=%s file=%s", S3B_VERSION, s->file);
	notify_keep(s);
	notify_ready(s);
	if (!by_exec) {
		if (!is_mounted_here(s) || !mount_alive(s->handed.fuse)) {
			log_info("it was unmounted meanwhile");
			mount_left(s);
		}
		return;
	}
	s->restart_next = PROC_FRONTEND;
	restart_step(s);
}

void
phase_role_ready(struct super *s, uint32_t proc)
{
	if (s->phase == PHASE_ROLES)
		start_ready(s, proc);
	else if (s->restart_next != 0) {
		if (s->restart_next == proc && proc < PROC_UPLOADER0)
			s->restart_next++;
		restart_step(s);
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t
phase_timers(struct super *s, uint64_t now)
{
	switch (s->phase) {
	case PHASE_RUNNING:
		cold_timers(s);
		if (!mount_alive(s->handed.fuse))
			connection_ended(s);
		health_look(s, now);
		return (now + LOOK_US);
	case PHASE_DETACHED:
		if (!mount_alive(s->handed.fuse)) {
			stop_begin_drain(s);
			return (s->stop_retry_us);
		}
		/* The mount table changes a moment before the connection ends: no news yet. */
		if (s->detached_us != 0 && now - s->detached_us > LOOK_US) {
			log_info("unmounted, but still in use; waiting for the last user");
			s->detached_us = 0;
		}
		return (now + DETACHED_LOOK_US);
	case PHASE_DRAINING:
		if (now >= s->stop_retry_us)
			stop_send(s);
		return (s->stop_retry_us);
	case PHASE_ENDING:
		if (!bury_nobody_left(s))
			return (now + LOOK_US);
		s->phase = PHASE_OVER;
		return (now);
	default:
		return (TIME_NEVER);
	}
}
