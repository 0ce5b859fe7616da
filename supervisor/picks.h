/* SPDX-License-Identifier: ISC */
/*
 * picks.h -- tells in the log what was picked for keys that nobody has set, and by which rule.
 *
 * Process:  s3backerd.    Threads: none.
 */
#ifndef S3B_SUPERVISOR_PICKS_H
#define S3B_SUPERVISOR_PICKS_H

#include <stdbool.h>

struct shm_geometry;
struct super;

/* kept: the cache file was there and keeps its size. */
void	picks_log(const struct super *, const struct shm_geometry *, bool kept);

#endif
