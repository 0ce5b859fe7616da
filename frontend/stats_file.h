/* SPDX-License-Identifier: ISC */
/*
 * stats_file.h -- the text of the `stats` file in the mount.
 *
 * Process:  frontend.      Threads:  any; a snapshot of counters that others keep writing.
 * Text:     ipc/stats.h.
 */
#ifndef S3B_FRONTEND_STATS_FILE_H
#define S3B_FRONTEND_STATS_FILE_H

#include <stddef.h>

struct volume;

/* NULL: no memory.  The caller frees it. */
char *stats_file_text(const struct volume *, size_t *ret_len);
/* From now on the file counts from zero.  `s3backerctl` is not affected. */
void  stats_file_reset(const struct volume *);

#endif
