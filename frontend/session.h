/* SPDX-License-Identifier: ISC */
/*
 * session.h -- /dev/fuse: the threads that read requests from it.
 *
 * Process:  frontend.
 * Threads:  all functions from the main thread.  Each FUSE thread has lane (and hazard line) 1 .. n,
 *           the completion thread has lane 0.
 * Owns:     the libfuse session and the threads.
 * Errors:   0 or -errno.
 */
#ifndef S3B_FRONTEND_SESSION_H
#define S3B_FRONTEND_SESSION_H

struct volume;
struct session;

int  session_open(struct volume *, struct session **ret_session);
int  session_start(struct session *);	/* starts the threads */
void session_stop(struct session *);	/* makes them leave; what they have read is in hand */
void session_close(struct session **);	/* NULL-safe */

#endif
