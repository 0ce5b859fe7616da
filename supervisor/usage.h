/* SPDX-License-Identifier: ISC */
/*
 * usage.h -- what the disk asks of its store, since the start, today, this month; and what that costs.
 *
 * Requests are counted as Amazon bills them: PUT (with POST, LIST and the renewal of the mount token),
 * GET (with HEAD); DELETE is free.  Days and months are UTC.  The sums are kept in a small file, which is
 * written once a minute while anything changes, and at the end: CACHEFILE.usage beside the cache file,
 * else NAME.usage in runDir, which on most machines lives until the next boot; usageFile names another.
 * A child writes it, with fsync and rename: this program must not wait for a disk (helper.h).  A file that
 * cannot be read is begun anew; what is lost with it are figures, never data.
 *
 *  U1 The counters of the segment begin at 0 with each segment.  The file says up to which values of
 *     which segment it has counted, so a restart counts nothing twice.
 *
 * Dollars: an estimate from the prices of the configuration, without free tiers and discounts.
 */
#ifndef S3B_SUPERVISOR_USAGE_H
#define S3B_SUPERVISOR_USAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct super;
struct usage;

struct usage_sum {
	uint64_t put, get, del;		/* requests */
	uint64_t lease;			/* of the PUTs: the mount token */
	uint64_t up, down;		/* bytes */
};

uint64_t usage_timers(struct super *, uint64_t now);
bool	usage_died(struct super *, pid_t, int wait_status);	/* was it the child that writes? */
void	usage_end(struct super *);	/* the last word, at once: the disk has ended */
void	usage_close(struct super *);
json_t *usage_json(struct super *);

double	usage_dollars(const struct super *, const struct usage_sum *);
/* Today's and this month's sums; false: nothing is known yet. */
bool	usage_now(const struct super *, struct usage_sum *ret_day, struct usage_sum *ret_month);
/* Bytes in the bucket, uncompressed; false: the bucket has not been listed. */
bool	usage_stored(const struct super *, uint64_t *ret_bytes);

#endif
