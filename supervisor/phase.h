/* SPDX-License-Identifier: ISC */
/*
 * phase.h -- what happens next: the one place where the phases of super.h change.
 *
 * The others report (a role is ready, a role died, the helper came back, the mount table changed,
 * somebody asked for a stop); here is decided what follows.
 */
#ifndef S3B_SUPERVISOR_PHASE_H
#define S3B_SUPERVISOR_PHASE_H

#include <stdbool.h>
#include <stdint.h>

struct super;
struct role;

const char *phase_mount_point(const struct super *);
const char *phase_name(const struct super *);	/* word for `status`: "running" */

/* ---- reports ------------------------------------------------------------------------------ */
void	phase_role_ready(struct super *, uint32_t proc);
/* `never`: it said that it must not be started again.  True: start it again. */
bool	phase_role_died(struct super *, const struct role *, bool never, const char *obituary);
/* The frontend ends by itself with its mount. */
bool	phase_expects_end(const struct super *, const struct role *);
bool	phase_may_start(const struct super *, uint32_t proc);
void	phase_probed(struct super *, int err);		/* 0: the disk's file can be opened */
void	phase_unmounted(struct super *, int err);	/* 0: the mount is gone */
void	phase_trial_ended(struct super *, int code, const char *text);
void	phase_mounts_changed(struct super *);
void	phase_failed(struct super *);			/* super_fail() was called */

/* ---- wishes ------------------------------------------------------------------------------- */
int	phase_stop(struct super *, bool keep_dirty);	/* 0 or -EBUSY: a stop is under way */
int	phase_restart(struct super *, char **ret_error); /* 0 or -errno: it goes on as it is */
/* In the new one: the disk runs already; a restart by exec goes on with the roles. */
void	phase_go_on(struct super *, bool by_exec);

uint64_t phase_timers(struct super *, uint64_t now);

#endif
