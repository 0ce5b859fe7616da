/* SPDX-License-Identifier: ISC */
/*
 * scrape.h -- metricsListen: the figures over HTTP/1.1, for Prometheus.
 *
 * Served from the loop of s3backerd: nothing here waits.  An answer is made whole when the request has
 * come, and leaves as fast as its reader reads; one who is slower than SCRAPE_LIMIT_US, or sends more
 * than a request can be, is dropped, and no more than SCRAPE_MAX are served at a time.
 * Only GET and HEAD of /metrics; nothing that is sent is interpreted any further.  Loopback or a socket
 * file: the figures are no secret, but nobody is asked who he is.
 */
#ifndef S3B_SUPERVISOR_SCRAPE_H
#define S3B_SUPERVISOR_SCRAPE_H

#include <stdint.h>

struct scrape;
struct super;
struct watch_set;

/* 0, also where metricsListen is not set; or -errno and one line. */
int	scrape_open(struct super *, char **ret_error);
void	scrape_close(struct super *);
void	scrape_remove(const struct super *);	/* the socket file, when the disk ends */
void	scrape_watch(struct super *, struct watch_set *);
uint64_t scrape_timers(struct super *, uint64_t now);

#endif
