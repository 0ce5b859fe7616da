/* SPDX-License-Identifier: ISC */
/*
 * reply.h -- the one answer to a request of the kernel, and what it counts.
 *
 * Process:  frontend.      Threads:  any.
 * Errors:   none.  Whoever asked may be gone, which is no error; a disk that fails under the cache
 *           while the kernel copies from it is one of the user's, and was told as EIO already.
 */
#ifndef S3B_FRONTEND_REPLY_H
#define S3B_FRONTEND_REPLY_H

#include <stdint.h>

struct fuse_req;
struct lane;
struct volume;

/* When the request that this thread is about was read from the kernel; for its latency. */
extern _Thread_local uint64_t reply_began_us;

enum reply_kind { REQ_READ, REQ_WRITE, REQ_TRIM, REQ_FLUSH };

void reply_error(struct volume *, struct fuse_req *, int error);	/* -errno */
/* Read: from the lane's iov, and the slots it holds are let go; or from a buffer. */
void reply_lane(struct lane *, struct fuse_req *, uint64_t len);
void reply_data(struct volume *, struct fuse_req *, const char *data, uint64_t len);
/* Anything else: it is done, and acknowledged with this. */
void reply_done(struct volume *, struct fuse_req *, enum reply_kind, uint64_t len);

#endif
