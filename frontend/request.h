/* SPDX-License-Identifier: ISC */
/*
 * request.h -- one request of the kernel: cut into pieces by block, served, answered once.
 *
 * Process:  frontend.
 * Threads:  request_read() ... request_flush() from the FUSE threads, which never wait in them;
 *           request_answered() from the completion thread.
 * Owns:     a request that has to wait is an object of its own, freed when it has been answered.
 * Errors:   go to the kernel.  The first error of a piece is the request's; all pieces are waited
 *           for before it is answered.
 *
 *	read:   all pieces hit: answered from the cache at once.  Else each piece is copied into the
 *	        request's buffer when it can be, and the last one answers.
 *	write:  the same; then, for O_SYNC and while the disk is drained, a flush; then the throttle.
 *	trim:   whole blocks by one message, the rest is written with zeros.
 */
#ifndef S3B_FRONTEND_REQUEST_H
#define S3B_FRONTEND_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

struct fuse_req;
struct lane;
struct outmsg;

/* off and len lie within the disk: checked by the caller. */
void request_read(struct lane *, struct fuse_req *, uint64_t off, uint64_t len);
/* src lies in lane->buf; sync: not to be answered before it is as durable as after fsync. */
void request_write(struct lane *, struct fuse_req *, uint64_t off, uint64_t len, const char *src,
    bool sync);
void request_trim(struct lane *, struct fuse_req *, uint64_t off, uint64_t len, bool sync);
void request_flush(struct lane *, struct fuse_req *);

/* The answer to a piece's question. */
void request_answered(struct outmsg *, int status, void *lane);

#endif
