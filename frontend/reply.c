/* SPDX-License-Identifier: ISC */
#define FUSE_USE_VERSION 314
#include "frontend/reply.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <time.h>

#include "ipc/state.h"

#include "common/counters.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/role.h"

#include "frontend/hit.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

void
reply_error(struct volume *v, struct fuse_req *fuse, int error)
{
	ctr_inc(v->env->counters, io_errors);
	(void)fuse_reply_err(fuse, -error);
}

static void
count_sent(struct volume *v, int sent, uint64_t len)
{
	if (sent == 0) {
		ctr_inc(v->env->counters, read_ops);
		ctr_add(v->env->counters, read_bytes, len);
	} else if (sent != -ENOENT) { /* ENOENT: the user did not wait for it */
		/* EFAULT: the disk under the cache; the kernel has answered EIO for us. */
		ctr_inc(v->env->counters, io_errors);
		log_err(sent, "a read could not be answered from the cache");
	}
}

/* From the lane's iov, which is let go. */
void
reply_lane(struct lane *l, struct fuse_req *fuse, uint64_t len)
{
	int r;

	INJECT("frontend.read.before-reply");
	if (l->niov == 1)
		r = fuse_reply_buf(fuse, l->iov[0].iov_base, l->iov[0].iov_len);
	else
		r = fuse_reply_iov(fuse, l->iov, (int)l->niov);
	lane_release(l);
	count_sent(l->v, r, len);
}

void
reply_data(struct volume *v, struct fuse_req *fuse, const char *data, uint64_t len)
{
	INJECT("frontend.read.before-reply");
	count_sent(v, fuse_reply_buf(fuse, data, len), len);
}

void
reply_done(struct volume *v, struct fuse_req *fuse, enum reply_kind kind, uint64_t len)
{
	struct counters *c = v->env->counters;

	INJECT("frontend.write.before-reply");
	if (kind == REQ_FLUSH) {
		ctr_inc(c, flush_ops);
		(void)fuse_reply_err(fuse, 0);
		return;
	}
	atomic_fetch_add(&v->env->state->acked_seq, 1);
	atomic_store_explicit(&v->mtime, (int64_t)time(NULL), memory_order_relaxed);
	if (kind == REQ_WRITE) {
		ctr_inc(c, write_ops);
		ctr_add(c, write_bytes, len);
		(void)fuse_reply_write(fuse, len);
	} else {
		ctr_inc(c, trim_ops);
		(void)fuse_reply_err(fuse, 0);
	}
}
