/* SPDX-License-Identifier: ISC */
/*
 * fuse_ops.c -- the file system: /, /file, /stats (names are configurable).
 *
 * The disk has a fixed size: truncating it to another is refused (EPERM), and with it open(2) with
 * O_TRUNC; the program of the same name says yes and does nothing.  Its owner and mode are the
 * configuration's, so chmod and chown are refused, too.
 *
 * close(2) is not a flush: it does not wait, since every error of a write was reported by that
 * write.  fsync(2) does.
 *
 * Who opens the file with O_DIRECT (or everyone, with directIO) bypasses the kernel's page cache and
 * may write in parallel.  The kernel then leaves O_SYNC and O_DSYNC to us; otherwise it follows up
 * each such write with an fsync of its own.  The file handle says which of the two it is: it is a
 * plain number, because it must mean the same to the next frontend.
 */
#define FUSE_USE_VERSION 314
#include "frontend/fuse_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/role.h"

#include "frontend/hit.h"
#include "frontend/request.h"
#include "frontend/stats_file.h"
#include "frontend/volume.h"
#include "frontend/guard.h"

#define FOR_EVER   31536000.0 /* seconds: names and attributes change by nobody but us */
#define FH_DIRECT  1u
#define BACKGROUND 1024 /* requests the kernel may have open in the background */
#define CONGESTED  768

_Thread_local struct lane *fuse_ops_lane;

static struct volume *
volume_of(fuse_req_t req)
{
	return (fuse_req_userdata(req));
}

/* A successor must agree on the same things, so nothing here may depend on how it was started. */
static void
op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &=
	    ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA |
			FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_IOCTL_DIR | FUSE_CAP_READDIRPLUS |
			FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	/* The kernel's pages of the file stay right: nobody changes it behind its back. */
	conn->want |= conn->capable &
		      (FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
			  FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV);
	conn->max_write = FE_MAX_IO;
	conn->max_background = BACKGROUND;
	conn->congestion_threshold = CONGESTED;
	log_debug("kernel protocol %u.%u, max_write=%u max_readahead=%u", conn->proto_major,
	    conn->proto_minor, conn->max_write, conn->max_readahead);
}

/* ---- names and attributes -------------------------------------------------------------- */
static double
attributes(struct volume *v, fuse_ino_t ino, struct stat *ret_st)
{
	volume_stat(v, ino, ret_st);
	if (ino == FE_INO_STATS) {
		size_t len = 0;

		free(stats_file_text(v, &len));
		ret_st->st_size = (off_t)len;
		return (0.0);
	}
	return (FOR_EVER);
}

static fuse_ino_t
ino_of(const struct volume *v, const char *name)
{
	const struct conf *c = v->env->conf;

	if (strcmp(name, c->filename) == 0)
		return (FE_INO_FILE);
	if (c->stats_filename != NULL && *name != '\0' && strcmp(name, c->stats_filename) == 0)
		return (FE_INO_STATS);
	return (0);
}

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume *v = volume_of(req);
	struct fuse_entry_param e = {.entry_timeout = FOR_EVER};

	/* ino 0: "not there", which the kernel may remember, too. */
	if (parent == FUSE_ROOT_ID && (e.ino = ino_of(v, name)) != 0)
		e.attr_timeout = attributes(v, e.ino, &e.attr);
	(void)fuse_reply_entry(req, &e);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	double timeout = attributes(volume_of(req), ino, &st);

	(void)fi;
	(void)fuse_reply_attr(req, &st, timeout);
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct volume *v = volume_of(req);
	struct stat st;

	(void)fi;
	if ((to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0 ||
	    ((to_set & FUSE_SET_ATTR_SIZE) != 0 &&
		(ino != FE_INO_FILE || (uint64_t)attr->st_size != v->size))) {
		(void)fuse_reply_err(req, EPERM);
		return;
	}
	if (ino == FE_INO_FILE && (to_set & FUSE_SET_ATTR_MTIME) != 0)
		atomic_store(&v->mtime, (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0
					    ? (int64_t)time(NULL)
					    : (int64_t)attr->st_mtime);
	(void)fuse_reply_attr(req, &st, attributes(v, ino, &st));
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	const struct conf *c = volume_of(req)->env->conf;
	const struct {
		const char *name;
		fuse_ino_t ino;
		mode_t mode;
	} entry[] = {{".", FUSE_ROOT_ID, S_IFDIR}, {"..", FUSE_ROOT_ID, S_IFDIR},
	    {c->filename, FE_INO_FILE, S_IFREG}, {c->stats_filename, FE_INO_STATS, S_IFREG}};
	char buf[2048];
	size_t used = 0;

	(void)fi;
	if (ino != FUSE_ROOT_ID) {
		(void)fuse_reply_err(req, ENOTDIR);
		return;
	}
	size = min_u64(size, sizeof(buf));
	for (unsigned i = (unsigned)off; off < 4 && i < 4; i++) {
		struct stat st = {.st_ino = entry[i].ino, .st_mode = entry[i].mode};
		size_t n;

		if (entry[i].name == NULL || *entry[i].name == '\0')
			continue;
		n = fuse_add_direntry(req, buf + used, size - used, entry[i].name, &st, i + 1);
		if (n > size - used)
			break;
		used += n;
	}
	(void)fuse_reply_buf(req, buf, used);
}

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct volume *v = volume_of(req);
	struct statvfs sv = {.f_bsize = 4096,
	    .f_frsize = 4096,
	    .f_files = 3,
	    .f_namemax = 255,
	    .f_blocks = (fsblkcnt_t)div_up(v->size, 4096)};

	(void)ino;
	(void)fuse_reply_statfs(req, &sv);
}

/* Removing the stats file sets its figures back, as it always did; the file stays. */
static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume *v = volume_of(req);

	if (parent != FUSE_ROOT_ID || ino_of(v, name) != FE_INO_STATS) {
		(void)fuse_reply_err(req, EPERM);
		return;
	}
	stats_file_reset(v);
	(void)fuse_reply_err(req, 0);
}

/* ---- the file -------------------------------------------------------------------------- */
static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct volume *v = volume_of(req);
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE};

	if (ino != FE_INO_FILE && ino != FE_INO_STATS) {
		(void)fuse_reply_err(req, EISDIR);
		return;
	}
	if (writes && (ino == FE_INO_STATS || volume_refuses_writes(v) != 0)) {
		(void)fuse_reply_err(req, ino == FE_INO_STATS ? EACCES : volume_refuses_writes(v));
		return;
	}
	if (ino == FE_INO_STATS) {
		out.open_flags = FOPEN_DIRECT_IO;
	} else if (v->direct_io || (fi->flags & O_DIRECT) != 0) {
		out.fh = FH_DIRECT;
		out.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	}
	/* libfuse 3.14 has no name for parallel writes, so this is the reply as the kernel reads it. */
	(void)fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void
read_stats(fuse_req_t req, size_t size, off_t off)
{
	size_t len = 0;
	char *text = stats_file_text(volume_of(req), &len);

	if (text == NULL)
		(void)fuse_reply_err(req, ENOMEM);
	else if ((uint64_t)off >= len)
		(void)fuse_reply_buf(req, NULL, 0);
	else
		(void)fuse_reply_buf(req, text + off, min_u64(size, len - (uint64_t)off));
	free(text);
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct volume *v = volume_of(req);

	(void)fi;
	if (ino == FE_INO_STATS)
		read_stats(req, size, off);
	else if ((uint64_t)off >= v->size || size == 0)
		(void)fuse_reply_buf(req, NULL, 0);
	else
		request_read(
		    fuse_ops_lane, req, (uint64_t)off, min_u64(size, v->size - (uint64_t)off));
}

static void
refuse(fuse_req_t req, int error)
{
	ctr_inc(volume_of(req)->env->counters, io_errors);
	(void)fuse_reply_err(req, error);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct volume *v = volume_of(req);
	bool sync = fi->fh == FH_DIRECT && (fi->flags & (O_SYNC | O_DSYNC)) != 0;
	int error = volume_refuses_writes(v);

	if (ino != FE_INO_FILE)
		error = EACCES;
	else if (error == 0 && (uint64_t)off >= v->size && size > 0)
		error = ENOSPC; /* like a block device at its end */
	if (error != 0)
		refuse(req, error);
	else if (size == 0)
		(void)fuse_reply_write(req, 0);
	else
		request_write(fuse_ops_lane, req, (uint64_t)off,
		    min_u64(size, v->size - (uint64_t)off), buf, sync);
}

static void
op_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	struct volume *v = volume_of(req);
	bool punch = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	bool zero = (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE;
	uint64_t end = (uint64_t)off + (uint64_t)len;
	int error = volume_refuses_writes(v);

	if (ino != FE_INO_FILE)
		error = EACCES;
	else if (!punch && !zero && (mode & ~FALLOC_FL_KEEP_SIZE) != 0)
		error = EOPNOTSUPP;
	else if (error == 0 && end > v->size && !punch)
		error = ENOSPC; /* it cannot grow, and has nothing behind its end */
	if (error != 0) {
		refuse(req, error);
		return;
	}
	end = min_u64(end, v->size);
	if ((!punch && !zero) || (uint64_t)off >= end)
		(void)fuse_reply_err(req, 0);
	else
		request_trim(fuse_ops_lane, req, (uint64_t)off, end - (uint64_t)off,
		    fi != NULL && fi->fh == FH_DIRECT && (fi->flags & (O_SYNC | O_DSYNC)) != 0);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	if (ino != FE_INO_FILE || volume_of(req)->read_only)
		(void)fuse_reply_err(req, 0);
	else
		request_flush(fuse_ops_lane, req);
}

static void
op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	(void)fuse_reply_err(req, 0);
}

static void
op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	uint64_t to = 0;
	int r = -EINVAL;

	(void)fi;
	if (ino == FE_INO_FILE)
		r = volume_seek(volume_of(req), (uint64_t)off, whence, &to);
	if (r < 0)
		(void)fuse_reply_err(req, -r);
	else
		(void)fuse_reply_lseek(req, (off_t)to);
}

const struct fuse_lowlevel_ops fuse_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .readdir = op_readdir,
    .statfs = op_statfs,
    .unlink = op_unlink,
    .open = op_open,
    .read = op_read,
    .write = op_write,
    .fallocate = op_fallocate,
    .fsync = op_fsync,
    .flush = op_flush,
    .lseek = op_lseek,
};
