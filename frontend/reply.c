/* SPDX-License-Identifier: ISC */
/*
 * reply.c -- answers to the kernel.
 *
 * Dying.  The kernel copies a request into our memory, and a reply out of it, page by page.  For a
 * page that is not mapped at that moment it has to fault it in, and gives up when the process has
 * been killed meanwhile; it then ends the *request*, with EIO, although a successor could serve it.
 * So every byte given to read(2) or writev(2) on /dev/fuse lies in memory that is mapped already:
 * buffers are populated when they are made, small reads are copied out of the cache into one of
 * them, and for large ones the pages of the cache are populated first.  Whoever is killed in pread(2)
 * or madvise(2) has answered nothing, and is asked again.
 */
#define FUSE_USE_VERSION 314
#include "frontend/reply.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <sys/mman.h>
#include <time.h>

#include "ipc/state.h"

#include "common/counters.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "common/role.h"

#include "frontend/hit.h"
#include "frontend/iobuf.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#define COPY_MOST (16u << 10) /* above it, copying costs more than mapping */

_Thread_local uint64_t reply_began_us;

static void
took(struct volume *v, enum histogram_id id)
{
	uint64_t now = now_us();

	if (reply_began_us != 0 && now >= reply_began_us)
		hist_add(&v->env->counters->hist[id], now - reply_began_us);
}

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
		took(v, HIST_READ);
	} else if (sent != -ENOENT) { /* ENOENT: the user did not wait for it */
		/* EFAULT: the disk under the cache; the kernel has answered EIO for us. */
		ctr_inc(v->env->counters, io_errors);
		log_err(sent, "a read could not be answered from the cache");
	}
}

/* Maps what the iov names, from disk if need be.  0 or -errno: of a bad disk, -EIO. */
static int
populate(const struct lane *l)
{
	const uintptr_t page = 4096;

	for (unsigned i = 0; i < l->niov; i++) {
		uintptr_t from = (uintptr_t)l->iov[i].iov_base & ~(page - 1);
		uintptr_t to = (uintptr_t)l->iov[i].iov_base + l->iov[i].iov_len;

		if (!volume_in_cache(l->v, l->iov[i].iov_base))
			continue;
		if (madvise((void *)from, ((to - from) + page - 1) & ~(page - 1),
			MADV_POPULATE_READ) < 0 &&
		    errno != EINVAL) /* Linux before 5.14 */
			return (errno == EFAULT || errno == EHWPOISON ? -EIO : -errno);
	}
	return (0);
}

void
reply_lane(struct lane *l, struct fuse_req *fuse, uint64_t len)
{
	struct volume *v = l->v;
	int r;

	if (len <= COPY_MOST && l->buf != NULL) {
		/* The request in the buffer has been taken apart: it is free. */
		r = lane_copy(l, l->buf->mem);
		lane_release(l);
		if (r < 0)
			reply_error(v, fuse, r);
		else
			reply_data(v, fuse, l->buf->mem, len);
		return;
	}
	if ((r = populate(l)) < 0) {
		lane_release(l);
		log_err(r, "cannot read the cache");
		reply_error(v, fuse, r);
		return;
	}
	INJECT("frontend.read.before-reply");
	if (l->niov == 1)
		r = fuse_reply_buf(fuse, l->iov[0].iov_base, l->iov[0].iov_len);
	else
		r = fuse_reply_iov(fuse, l->iov, (int)l->niov);
	lane_release(l);
	count_sent(v, r, len);
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
		took(v, HIST_FLUSH);
		return;
	}
	atomic_fetch_add(&v->env->state->acked_seq, 1);
	atomic_store_explicit(&v->mtime, (int64_t)time(NULL), memory_order_relaxed);
	if (kind == REQ_WRITE) {
		ctr_inc(c, write_ops);
		ctr_add(c, write_bytes, len);
		(void)fuse_reply_write(fuse, len);
		took(v, HIST_WRITE);
	} else {
		ctr_inc(c, trim_ops);
		(void)fuse_reply_err(fuse, 0);
	}
}
