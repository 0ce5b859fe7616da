/* SPDX-License-Identifier: ISC */
/*
 * heart.h -- do the roles move?  And what is wrong with them, in one line.
 */
#ifndef S3B_SUPERVISOR_HEART_H
#define S3B_SUPERVISOR_HEART_H

#include <stddef.h>
#include <stdint.h>

struct role;
struct super;

/* Once a second for each role that runs; reports when one stops moving, and when it goes on. */
void	heart_look(struct super *, struct role *, uint64_t now);
/* Why the disk is worse off than it should be; NULL: it is not. */
const char *heart_degraded(const struct super *, char *buf, size_t len);

#endif
