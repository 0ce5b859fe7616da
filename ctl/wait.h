/* SPDX-License-Identifier: ISC */
/*
 * wait.h -- `s3backerctl wait`: for scripts and shutdown hooks; and the times they are given in.
 */
#ifndef S3B_CTL_WAIT_H
#define S3B_CTL_WAIT_H

#include <stdint.h>

struct ask;

/* age_us 0: until the bucket holds everything; else until nothing older than that is missing. */
int	wait_run(struct ask *, uint64_t age_us);
/* "500ms", "30", "30s", "5m", "1h": -EINVAL for anything else. */
int	wait_parse_time(const char *text, uint64_t *ret_us);

#endif
