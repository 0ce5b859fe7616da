/* SPDX-License-Identifier: ISC */
/*
 * status.h -- the disk in figures: composed from the segment at the moment of asking.
 */
#ifndef S3B_SUPERVISOR_STATUS_H
#define S3B_SUPERVISOR_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct super;

json_t	*status_json(struct super *);	/* the fields of INTERFACE.md and a few more */
bool	status_healthy(const struct super *);		/* running, and nothing is degraded */
char	*status_metrics(const struct super *);	/* Prometheus text; to be freed */

uint64_t status_dirty_bytes(const struct super *);	/* what the bucket lacks */
uint64_t status_upload_rate(const struct super *);	/* bytes/s */

#endif
