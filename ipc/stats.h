/* SPDX-License-Identifier: ISC */
/*
 * stats.h -- the figures of a disk as text: the `stats` file in the mount, and its mirror.
 *
 * Process:  frontend, s3backerd.   Threads:  any; a snapshot of counters that others keep writing.
 * Names:    those of the old program where the meaning is the same, then every counter of ours.
 */
#ifndef S3B_IPC_STATS_H
#define S3B_IPC_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "common/counters.h"

struct shm;

/*
 * `zero`: what counting begins from; the counters in the segment belong to their processes and are
 * never set back.  NULL: no memory.  The caller frees it.
 */
char *stats_text(const struct shm *, const uint64_t zero[CTR_COUNT], size_t *ret_len);
void  stats_now(const struct shm *, uint64_t ret_values[CTR_COUNT]);

#endif
