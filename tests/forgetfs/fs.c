/* SPDX-License-Identifier: ISC */
/*
 * fs.c -- the FUSE side: one directory with some files.
 *
 * There is no write-back cache, so a write(2) is here when it returns; pages of shared mappings come
 * when the kernel writes them back, and before every fsync.  Nothing is cached by time.  Locks are the
 * kernel's own, as we offer no functions for them.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/forgetfs/gate.h"

static struct ff_file *
file_of(const struct fuse_file_info *fi)
{
	return ((struct ff_file *)(uintptr_t)fi->fh);
}

static void
stat_of(const struct ff_file *f, struct stat *ret_st)
{
	*ret_st = (struct stat){.st_ino = f->ino,
	    .st_mode = S_IFREG | (f->mode & 0777),
	    .st_nlink = f->name != NULL ? 1 : 0,
	    .st_size = (off_t)f->size,
	    .st_blksize = FF_PAGE,
	    .st_blocks = (blkcnt_t)((f->size + 511) / 512),
	    .st_uid = getuid(),
	    .st_gid = getgid()};
}

static int
stat_ino(fuse_ino_t ino, struct stat *ret_st)
{
	const struct ff_file *f;

	if (ino == FUSE_ROOT_ID) {
		*ret_st = (struct stat){.st_ino = ino,
		    .st_mode = S_IFDIR | 0755,
		    .st_nlink = 2,
		    .st_uid = getuid(),
		    .st_gid = getgid()};
		return (0);
	}
	if ((f = image_by_ino(&ff.image, ino)) == NULL)
		return (ENOENT);
	stat_of(f, ret_st);
	return (0);
}

static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ |
				  FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->max_background = 64;
}

/* ---- names ------------------------------------------------------------------------------- */

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {0};
	const struct ff_file *f;
	int error;

	(void)parent;
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_READ);
	f = image_find(&ff.image, name);
	if (error == 0 && f == NULL)
		error = ENOENT;
	if (error == 0) {
		e.ino = f->ino;
		stat_of(f, &e.attr);
	}
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_entry(req, &e);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error;

	(void)fi;
	(void)pthread_mutex_lock(&ff.lock);
	error = stat_ino(ino, &st);
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_attr(req, &st, 0);
}

static int
change(struct ff_file *f, const struct stat *attr, int to_set)
{
	int error = gate_enter(FF_META);

	if (error != 0)
		return (error);
	if ((to_set & FUSE_SET_ATTR_MODE) != 0)
		f->mode = attr->st_mode;
	if ((to_set & FUSE_SET_ATTR_SIZE) != 0)
		image_resize(&ff.image, f, (uint64_t)attr->st_size);
	return (gate_leave(FF_META));
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct ff_file *f;
	struct stat st;
	int error = 0;

	(void)fi;
	(void)pthread_mutex_lock(&ff.lock);
	f = image_by_ino(&ff.image, ino);
	if (f != NULL && (to_set & (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MODE)) != 0)
		error = change(f, attr, to_set);
	if (error == 0)
		error = stat_ino(ino, &st);
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_attr(req, &st, 0);
}

static void
op_create(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e = {0};
	struct ff_file *f;
	int error;

	(void)parent;
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_META);
	if (error == 0 && image_find(&ff.image, name) != NULL)
		error = EEXIST;
	if (error == 0) {
		f = image_create(&ff.image, name, mode);
		f->opens++;
		fi->fh = (uintptr_t)f;
		e.ino = f->ino;
		stat_of(f, &e.attr);
		error = gate_leave(FF_META);
	}
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_create(req, &e, fi);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ff_file *f;
	int error;

	(void)parent;
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_META);
	if (error == 0 && (f = image_find(&ff.image, name)) != NULL) {
		image_unlink(&ff.image, f);
		error = gate_leave(FF_META);
	} else if (error == 0) {
		error = ENOENT;
	}
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, error);
}

static void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to,
    unsigned flags)
{
	struct ff_file *f;
	int error;

	(void)parent;
	(void)to_parent;
	(void)pthread_mutex_lock(&ff.lock);
	error = flags != 0 ? EINVAL : gate_enter(FF_META);
	if (error == 0 && (f = image_find(&ff.image, name)) != NULL) {
		image_rename(&ff.image, f, to);
		error = gate_leave(FF_META);
	} else if (error == 0) {
		error = ENOENT;
	}
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, error);
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	const struct ff_file *f;
	size_t used = 0;
	off_t at = 0;

	(void)ino;
	(void)fi;
	(void)pthread_mutex_lock(&ff.lock);
	LIST_FOREACH (f, &ff.image.files, link) {
		struct stat st;
		size_t n;

		if (f->name == NULL || at++ < off || buf == NULL)
			continue;
		stat_of(f, &st);
		n = fuse_add_direntry(req, buf + used, size - used, f->name, &st, at);
		if (n > size - used)
			break;
		used += n;
	}
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_buf(req, buf, used);
	free(buf);
}

static void
op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	int error;

	(void)ino;
	(void)datasync;
	(void)fi;
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_SYNC);
	if (error == 0 && !ff.faults.lie)
		image_sync_dir(&ff.image);
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, error);
}

/* ---- files ------------------------------------------------------------------------------- */

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ff_file *f;
	int error;

	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_READ);
	f = image_by_ino(&ff.image, ino);
	if (error == 0 && f == NULL)
		error = ENOENT;
	if (error == 0) {
		f->opens++;
		fi->fh = (uintptr_t)f;
		/* Then the kernel leaves O_DSYNC to us, and syncs nothing else for it. */
		fi->direct_io = (fi->flags & O_DIRECT) != 0;
	}
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_open(req, fi);
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ff_file *f = file_of(fi);

	(void)ino;
	(void)pthread_mutex_lock(&ff.lock);
	f->opens--;
	image_closed(&ff.image, f);
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, 0);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf = malloc(size);
	size_t n = 0;
	int error;

	(void)ino;
	(void)pthread_mutex_lock(&ff.lock);
	error = buf == NULL ? ENOMEM : gate_enter(FF_READ);
	if (error == 0)
		n = image_read(file_of(fi), buf, size, (uint64_t)off);
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_buf(req, buf, n);
	free(buf);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct ff_file *f = file_of(fi);
	int error;

	(void)ino;
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_WRITE);
	if (error == 0) {
		/* Pages of a mapping come whole; what lies behind the end of the file is not in it. */
		if (fi->writepage && (uint64_t)off + size > f->size)
			size = (uint64_t)off < f->size ? (size_t)(f->size - (uint64_t)off) : 0;
		image_write(&ff.image, f, buf, size, (uint64_t)off);
		error = gate_leave(FF_WRITE);
	}
	if (error == 0 && !fi->writepage && (fi->flags & O_DIRECT) != 0 &&
	    (fi->flags & O_DSYNC) != 0) {
		error = gate_enter(FF_SYNC);
		if (error == 0 && !ff.faults.lie)
			image_sync_range(&ff.image, f, (uint64_t)off, size);
	}
	(void)pthread_mutex_unlock(&ff.lock);
	if (error != 0)
		(void)fuse_reply_err(req, error);
	else
		(void)fuse_reply_write(req, size);
}

static void
op_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	struct ff_file *f = file_of(fi);
	uint64_t end = (uint64_t)off + (uint64_t)len;
	bool zero = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
	int error;

	(void)ino;
	if ((mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)) != 0) {
		(void)fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_META);
	if (error == 0) {
		if (zero)
			image_zero(&ff.image, f, (uint64_t)off, (uint64_t)len);
		if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > f->size)
			image_resize(&ff.image, f, end);
		error = gate_leave(FF_META);
	}
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, error);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct ff_file *f = file_of(fi);
	int error;

	(void)ino;
	(void)datasync; /* the size is needed to find the data, so it goes along */
	(void)pthread_mutex_lock(&ff.lock);
	error = gate_enter(FF_SYNC);
	if (error == 0 && !ff.faults.lie)
		image_sync(&ff.image, f);
	else if (error != 0 && !ff.dead)
		image_sync_failed(&ff.image, f, ff_random());
	(void)pthread_mutex_unlock(&ff.lock);
	(void)fuse_reply_err(req, error);
}

static void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0);
}

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs sv = {.f_bsize = FF_PAGE,
	    .f_frsize = FF_PAGE,
	    .f_blocks = 1 << 20,
	    .f_bfree = ff.faults.enospc ? 0 : 1 << 19,
	    .f_bavail = ff.faults.enospc ? 0 : 1 << 19,
	    .f_namemax = 255};

	(void)ino;
	(void)fuse_reply_statfs(req, &sv);
}

void
ff_drop_kernel_caches(void)
{
	uint64_t ino[256];
	unsigned n = 0;
	const struct ff_file *f;

	(void)pthread_mutex_lock(&ff.lock);
	LIST_FOREACH (f, &ff.image.files, link)
		if (n < 256)
			ino[n++] = f->ino;
	(void)pthread_mutex_unlock(&ff.lock);
	/* Without the lock: the kernel writes dirty pages of mappings back to us first. */
	for (unsigned i = 0; i < n; i++)
		(void)fuse_lowlevel_notify_inval_inode(ff.session, ino[i], 0, 0);
}

const struct fuse_lowlevel_ops forgetfs_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .create = op_create,
    .unlink = op_unlink,
    .rename = op_rename,
    .readdir = op_readdir,
    .fsyncdir = op_fsyncdir,
    .open = op_open,
    .release = op_release,
    .read = op_read,
    .write = op_write,
    .fallocate = op_fallocate,
    .fsync = op_fsync,
    .flush = op_flush,
    .statfs = op_statfs,
};
