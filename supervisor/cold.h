/* SPDX-License-Identifier: ISC */
/*
 * cold.h -- a restart with a new segment: the new programs have another layout of shared memory, or the
 * disk is to be larger (resize.h, N3).
 *
 * The mount stays, but nobody answers it for a moment; requests wait in the kernel.
 *
 *	SYNC		memory cache only: upload what is there while the disk is still in use
 *	FRONTEND	it answers what it has read, and leaves
 *	STOP		cachemgr: the last commit to the cache file, or the rest to the bucket
 *	LEAVE		all roles; then the new program is executed, with the mount, the lock of the pid
 *			file and the kernel's INIT request, and starts the disk as at any start
 *
 * Whatever fails before that: the roles are started again on the segment that is still there.  A stop
 * that is asked for meanwhile happens when the disk is back.
 */
#ifndef S3B_SUPERVISOR_COLD_H
#define S3B_SUPERVISOR_COLD_H

#include <stdbool.h>

struct role;
struct super;

enum cold_step { COLD_NONE, COLD_SYNC, COLD_FRONTEND, COLD_STOP, COLD_LEAVE };

void	cold_begin(struct super *);
/* Asked at a death while a step is taken; true: it is to be started again. */
bool	cold_role_died(struct super *, const struct role *);
void	cold_timers(struct super *);	/* LEAVE: are they gone? */
/* The mount has ended meanwhile: nothing to be handed on. */
void	cold_cancel(struct super *);

#endif
