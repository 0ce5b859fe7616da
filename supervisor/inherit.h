/* SPDX-License-Identifier: ISC */
/*
 * inherit.h -- a disk whose s3backerd died, from the descriptors that systemd has kept.
 *
 * The roles of the dead may still be at work on the segment.  They are not our children, so they could
 * not be watched over: every process that has the segment open and is one of our programs is killed
 * through a pidfd and awaited; then new ones start, as after a death of all of them.
 *
 * Errors: 0 or -errno.
 */
#ifndef S3B_SUPERVISOR_INHERIT_H
#define S3B_SUPERVISOR_INHERIT_H

#include <stdbool.h>

struct super;

/*
 * Takes the descriptors that were passed to this process (sd_listen_fds(3)); true: they are those of
 * our disk, and s->handed and s->letter are filled; whether it is mounted still, the loop will see.
 * False: none of them is kept.
 */
bool	inherit_take(struct super *);
/* The segment, and what the letter says; kills the old roles. */
int	inherit_adopt(struct super *);

#endif
