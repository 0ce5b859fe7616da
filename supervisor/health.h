/* SPDX-License-Identifier: ISC */
/*
 * health.h -- does the store answer?  Judged from the uploaders' counters, once a second.
 *
 * When several attempts in a row failed and none succeeded between, the disk is degraded: it goes
 * on from its cache, but the bucket falls behind.  The first success ends that.  Reads and changes are
 * judged apart: a store that is full still serves reads.
 */
#ifndef S3B_SUPERVISOR_HEALTH_H
#define S3B_SUPERVISOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct super;

void	health_look(struct super *, uint64_t now);
/* True: and why. */
bool	health_degraded(const struct super *, char *why, size_t len);

#endif
