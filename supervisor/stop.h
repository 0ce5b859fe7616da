/* SPDX-License-Identifier: ISC */
/*
 * stop.h -- the way out: the mount goes, then what is dirty, then the roles.
 *
 * phase.c decides that it is taken; phase_stop(), declared there, is its beginning.
 */
#ifndef S3B_SUPERVISOR_STOP_H
#define S3B_SUPERVISOR_STOP_H

struct super;

/* The mount is gone, so nothing new comes.  Bring what is there to the bucket, or keep it. */
void	stop_begin_drain(struct super *);
void	stop_send(struct super *);		/* IPC_STOP, once more after a failure */
/* Nothing more to wait for: every role is asked to leave. */
void	stop_begin_ending(struct super *);

#endif
