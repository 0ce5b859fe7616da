/* SPDX-License-Identifier: ISC */
/*
 * conf_diff.h -- two configurations of one disk compared: what may a restart change?
 *
 * Process:  s3backerd.  Threads: any; pure.
 */
#ifndef S3B_COMMON_CONF_DIFF_H
#define S3B_COMMON_CONF_DIFF_H

#include <stdbool.h>

#include "common/conf.h"

bool	conf_key_same(const struct conf *, const struct conf *, enum conf_id);
/* Read anew by every process at its start, so that a restart is enough: limits, levels, keys. */
bool	conf_key_may_change(enum conf_id);

#endif
