/* SPDX-License-Identifier: ISC */
/*
 * store_dir.c -- a directory as the store: file:///path.
 *
 * Process:  uploader.
 * Threads:  every operation runs in a thread of a pool of this file's own, so that syncs overlap and
 *           the loop never waits for a disk; `done` and on_block in the main thread.
 * Owns:     the directory descriptor.
 * Format:   BUCKET-FORMAT.md section 13: DIR/PREFIX[hash-]block is a block's bytes; no file: zeros.
 *           A '/' in the prefix is a sub-directory.  What the old program does not have: the sizes,
 *           in two extended attributes of block 0 (or, on file systems without those, in the file
 *           DIR/PREFIX.s3backer), and the mount token, DIR/PREFIXs3backer-mounted.
 * Durable:  an operation that succeeded survives a power cut: temporary file, fsync, rename, fsync of
 *           the directory.  A death leaves at most a temporary NAME.XXXXXX, which is no block.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/log.h"
#include "uploader/jobs.h"
#include "uploader/payload.h"
#include "uploader/s3_sign.h"
#include "uploader/store.h"

#include "uploader/guard.h"

#define DIR_THREADS 8
#define TMP_SIZE    (NAME_SIZE + 8)

struct store_dir {
	struct store	 store;	/* first */
	struct store_env env;
	struct jobs	*jobs;
	struct names	 names;	/* as env.names, with what follows the last '/' of the prefix */
	int		 dirfd;
	char		*path;	/* of it, for messages */
};

struct dir_op {
	struct job	  job;	/* first */
	struct store_dir *d;
	struct store_op	 *op;
	uint32_t	 *found;	/* LIST */
	size_t		  nfound, room;
};

/* ---- names -------------------------------------------------------------------------------- */
static void
tmp_name(const char *name, char buf[TMP_SIZE])
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strlcpy(buf, name, NAME_SIZE);

	buf[n++] = '.';
	for (unsigned i = 0; i < 6; i++)
		buf[n++] = chars[arc4random_uniform(sizeof(chars) - 1)];
	buf[n] = '\0';
}

static int
create_tmp(const struct store_dir *d, const char *name, char tmp[TMP_SIZE])
{
	int fd;

	do {
		tmp_name(name, tmp);
		fd = openat(d->dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (fd < 0 && errno == EEXIST);
	return (fd < 0 ? -errno : fd);
}

static void
meta_name(const struct store_dir *d, char buf[NAME_SIZE])
{
	(void)snprintf(buf, NAME_SIZE, "%s.s3backer", d->names.prefix);
}

/* ---- sizes -------------------------------------------------------------------------------- */
static int
sizes_to_file(const struct store_dir *d)
{
	char name[NAME_SIZE], text[96];
	int n = snprintf(text, sizeof(text), "blocksize=%" PRIu64 "\nfilesize=%" PRIu64 "\n",
	    d->env.block_size, d->env.file_size);

	meta_name(d, name);
	return (durable_write_file(d->dirfd, name, text, (size_t)n, 0600));
}

static int
sizes_to_block0(const struct store_dir *d, int fd)
{
	char text[24];
	int n;

	n = snprintf(text, sizeof(text), "%" PRIu64, d->env.block_size);
	if (fsetxattr(fd, "user.s3backer.blocksize", text, (size_t)n, 0) < 0)
		return (errno == ENOTSUP || errno == EPERM ? sizes_to_file(d) : -errno);
	n = snprintf(text, sizeof(text), "%" PRIu64, d->env.file_size);
	return (fsetxattr(fd, "user.s3backer.filesize", text, (size_t)n, 0) < 0 ? -errno : 0);
}

static uint64_t
attribute(int fd, const char *name)
{
	char text[24];
	ssize_t n = fgetxattr(fd, name, text, sizeof(text) - 1);

	if (n <= 0)
		return (0);
	text[n] = '\0';
	return (strtoull(text, NULL, 10));
}

static void
sizes_from_file(const struct store_dir *d, struct store_reply *r)
{
	char name[NAME_SIZE], text[96];
	AUTO_FD int fd = -1;
	ssize_t n;

	meta_name(d, name);
	fd = openat(d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (n = read(fd, text, sizeof(text) - 1)) <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "blocksize=%" SCNu64 "\nfilesize=%" SCNu64, &r->block_size,
		&r->file_size) != 2)
		r->block_size = r->file_size = 0;
}

/* ---- blocks: all of these run in a thread of the pool ---------------------------------------- */
static int
run_get(struct dir_op *o, const char *name, char *piece)
{
	const struct store_dir *d = o->d;
	struct store_op *op = o->op;
	bool whole = op->off == 0 && op->len == d->env.block_size;
	struct crc32_sum *crc;
	AUTO_FD int fd = -1;
	struct stat st;
	int error = 0;

	fd = openat(d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (-errno);
	if (fstat(fd, &st) < 0)
		return (-errno);
	if ((uint64_t)st.st_size != d->env.block_size)
		return (-EBADMSG);
	crc = whole ? crc32_sum_new() : NULL;
	for (uint64_t at = op->off, end = at + op->len, n; at < end && error == 0; at += n) {
		n = min_u64(JOBS_SCRATCH, end - at);
		if ((error = pread_full(fd, piece, n, (off_t)at)) < 0)
			break;
		if (crc != NULL)
			crc32_sum_add(crc, piece, n);
		if (op->io.fd >= 0)
			error = slot_io_write(&op->io, at, piece, n);
	}
	op->reply.crc = crc32_sum_end(&crc);
	op->reply.bytes = op->len;
	return (error);
}

static int
run_put(struct dir_op *o, const char *name, char *piece)
{
	const struct store_dir *d = o->d;
	const struct payload *p = o->op->payload;
	char tmp[TMP_SIZE];
	AUTO_FD int fd = -1;
	int error = 0;

	if ((fd = create_tmp(d, name, tmp)) < 0)
		return (fd);
	for (uint64_t at = 0, n; at < p->len && error == 0; at += n) {
		n = min_u64(JOBS_SCRATCH, p->len - at);
		if ((error = payload_read(p, at, piece, n)) == 0)
			error = pwrite_full(fd, piece, n, (off_t)at);
	}
	if (error == 0 && o->op->block == 0)
		error = sizes_to_block0(d, fd);
	if (error == 0)
		error = durable_rename(fd, d->dirfd, tmp, name);
	if (error < 0)
		(void)unlinkat(d->dirfd, tmp, 0);
	return (error);
}

static int
run_delete_many(struct dir_op *o)
{
	char name[NAME_SIZE];

	for (unsigned i = 0; i < o->op->nblocks; i++) {
		(void)name_of_block(&o->d->names, o->op->blocks[i], name);
		if (unlinkat(o->d->dirfd, name, 0) < 0 && errno != ENOENT)
			return (-errno);
	}
	return (durable_sync_dir(o->d->dirfd));
}

static int
run_stat(struct dir_op *o, const char *name)
{
	struct store_reply *r = &o->op->reply;
	AUTO_FD int fd = -1;
	struct stat st;

	fd = openat(o->d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (-errno);
	if (fstat(fd, &st) < 0)
		return (-errno);
	r->length = (uint64_t)st.st_size;
	r->block_size = attribute(fd, "user.s3backer.blocksize");
	r->file_size = attribute(fd, "user.s3backer.filesize");
	if (r->block_size == 0 || r->file_size == 0)
		sizes_from_file(o->d, r);
	return (0);
}

static int
remember(struct dir_op *o, uint32_t block)
{
	if (o->nfound == o->room) {
		size_t room = o->room != 0 ? 2 * o->room : 1024;
		uint32_t *more = reallocarray(o->found, room, sizeof(*more));

		if (more == NULL)
			return (-ENOMEM);
		o->found = more;
		o->room = room;
	}
	o->found[o->nfound++] = block;
	return (0);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y ? -1 : x > y);
}

static int
run_list(struct dir_op *o)
{
	int fd = openat(o->d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
	struct dirent *e;
	uint32_t block;
	DIR *dir;

	if (fd < 0)
		return (-errno);
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return (-ENOMEM);
	}
	while (errno = 0, error == 0 && (e = readdir(dir)) != NULL)
		if (name_parse(&o->d->names, e->d_name, strlen(e->d_name), &block) &&
		    block >= o->op->first && block <= o->op->last)
			error = remember(o, block);
	if (error == 0)
		error = -errno;
	closedir(dir);
	if (o->nfound > 0)
		qsort(o->found, o->nfound, sizeof(o->found[0]), by_number);
	return (error);
}

/* ---- the mount token ----------------------------------------------------------------------- */
static void
token_etag(const char *text, char etag[80])
{
	uint8_t md5[16];
	char hex[33];

	gcry_md_hash_buffer(GCRY_MD_MD5, md5, text, strlen(text));
	sign_hex(md5, 16, hex);
	(void)snprintf(etag, 80, "\"%s\"", hex);
}

static int
run_token_get(struct dir_op *o, const char *name)
{
	struct store_reply *r = &o->op->reply;
	AUTO_FD int fd = -1;
	const char *line;
	ssize_t n;

	fd = openat(o->d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (-errno);
	if ((n = read(fd, r->body, sizeof(r->body) - 1)) < 0)
		return (-errno);
	r->body[n] = '\0';
	token_etag(r->body, r->etag);
	line = strstr(r->body, "\ntoken: ");
	r->has_token = line != NULL && sscanf(line, "\ntoken: %8" SCNx32, &r->token) == 1;
	return (0);
}

/* link(2) is the create-if-absent of directories: it never replaces. */
static int
run_token_put(struct dir_op *o, const char *name)
{
	const struct store_op *op = o->op;
	char tmp[TMP_SIZE], text[STORE_BODY_MAX];
	struct dir_op now = *o;
	struct store_op get = {.kind = STORE_TOKEN_GET};
	AUTO_FD int fd = -1;
	int n, error;

	if (op->condition == STORE_IF_MATCH) {
		now.op = &get;
		if (run_token_get(&now, name) < 0 || strcmp(get.reply.etag, op->match) != 0)
			return (-EEXIST);
	}
	n = snprintf(text, sizeof(text), "%stoken: %08x\n", op->body, op->token);
	if (n < 0 || (size_t)n >= sizeof(text))
		return (-ENAMETOOLONG);
	if ((fd = create_tmp(o->d, name, tmp)) < 0)
		return (fd);
	error = pwrite_full(fd, text, (size_t)n, 0);
	if (error == 0 && op->condition == STORE_IF_ABSENT) {
		error = durable_sync(fd);
		if (error == 0 && linkat(o->d->dirfd, tmp, o->d->dirfd, name, 0) < 0)
			error = -errno;
		(void)unlinkat(o->d->dirfd, tmp, 0);
		if (error == 0)
			error = durable_sync_dir(o->d->dirfd);
	} else if (error == 0) {
		error = durable_rename(fd, o->d->dirfd, tmp, name);
	}
	if (error < 0)
		(void)unlinkat(o->d->dirfd, tmp, 0);
	token_etag(text, o->op->reply.etag);
	return (error);
}

/* ---- one operation ------------------------------------------------------------------------- */
static int
run_op(struct dir_op *o, char *scratch)
{
	struct store_dir *d = o->d;
	char name[NAME_SIZE], token[NAME_SIZE];

	(void)name_of_block(&d->names, o->op->block, name);
	(void)name_of_token(&d->names, token);
	switch (o->op->kind) {
	case STORE_GET:
		return (run_get(o, name, scratch));
	case STORE_PUT:
		return (run_put(o, name, scratch));
	case STORE_DELETE:
		return (durable_unlink(d->dirfd, name));
	case STORE_DELETE_MANY:
		return (run_delete_many(o));
	case STORE_LIST:
		return (run_list(o));
	case STORE_STAT:
		return (run_stat(o, name));
	case STORE_TOKEN_GET:
		return (run_token_get(o, token));
	case STORE_TOKEN_PUT:
		return (run_token_put(o, token));
	case STORE_TOKEN_DROP:
		return (durable_unlink(d->dirfd, token));
	}
	return (-EINVAL);
}

static enum fail
fail_of_errno(int error)
{
	switch (-error) {
	case 0:
		return (FAIL_NONE);
	case ENOENT:
		return (FAIL_ABSENT);
	case EEXIST:
		return (FAIL_CONDITION);
	case EBADMSG:
		return (FAIL_DATA);
	case EACCES:
	case EPERM:
	case EROFS:
		return (FAIL_DENIED);
	default:
		return (FAIL_TRANSIENT);	/* full, out of memory, a bad disk: may heal */
	}
}

static void
op_run(struct job *j, void *scratch)
{
	struct dir_op *o = (struct dir_op *)j;
	struct store_reply *r = &o->op->reply;
	int error = run_op(o, scratch);

	r->fail = fail_of_errno(error);
	r->error = error;
	if (r->fail == FAIL_DATA)
		(void)snprintf(r->why, sizeof(r->why), "%s: the file of block %" PRIu32
		    " has not the size of a block (check blockSize)", o->d->path, o->op->block);
	else if (error < 0)
		(void)snprintf(r->why, sizeof(r->why), "%s: %s", o->d->path, strerror(-error));
}

static void
op_done(struct job *j)
{
	struct dir_op *o = (struct dir_op *)j;
	struct store_op *op = o->op;

	for (size_t i = 0; i < o->nfound; i++)
		op->on_block(op, o->found[i]);
	free(o->found);
	free(o);
	op->done(op);
}

static void
dir_submit(struct store *store, struct store_op *op)
{
	struct dir_op *o = calloc(1, sizeof(*o));

	MUST(o != NULL);
	memset(&op->reply, 0, sizeof(op->reply));
	o->d = (struct store_dir *)store;
	o->op = op;
	o->job.run = op_run;
	o->job.done = op_done;
	jobs_submit(o->d->jobs, &o->job);
}

static void
dir_limits(struct store *store, uint64_t upload_bps, uint64_t download_bps)
{
	(void)store, (void)upload_bps, (void)download_bps; /* a disk of one's own needs none */
}

static void
dir_found(struct store *store, char *buf, size_t size)
{
	(void)store;
	if (size > 0)
		buf[0] = '\0';
}

static void
dir_close(struct store *store)
{
	struct store_dir *d = (struct store_dir *)store;

	jobs_close(&d->jobs);
	if (d->dirfd >= 0)
		close(d->dirfd);
	free(d->path);
	free(d);
}

static const struct store_backend dir_backend = {
    .name = "dir",
    .submit = dir_submit,
    .limits = dir_limits,
    .found = dir_found,
    .close = dir_close,
};

/* The sub-directories that a prefix names, and the directory they end in. */
static int
open_dir(struct store_dir *d, const char *base, bool create)
{
	const char *prefix = d->env.names.prefix, *slash = strrchr(prefix, '/');
	int error;

	if (asprintf(&d->path, "%s%s%.*s", base, slash != NULL ? "/" : "", slash != NULL ? (int)(slash - prefix) : 0, prefix) < 0)
		return (-ENOMEM);
	for (char *p = d->path + strlen(base) + (slash != NULL); create && slash != NULL && p != NULL;) {
		p = strchr(p, '/');
		if (p != NULL)
			*p = '\0';
		error = mkdir(d->path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		if (p != NULL)
			*p++ = '/';
		if (error < 0)
			return (error);
	}
	d->dirfd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dirfd < 0)
		return (-errno);
	d->names = d->env.names;
	d->names.prefix = slash != NULL ? slash + 1 : prefix;
	d->names.prefix_len = strlen(d->names.prefix);
	return (create && faccessat(d->dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0);
}

int
store_dir_open(const struct store_env *env, struct store **ret_store, char **ret_error)
{
	struct store_dir *d = calloc(1, sizeof(*d));
	const char *base = env->conf->store_dir;
	int error;

	*ret_error = NULL;
	if (d == NULL)
		return (-ENOMEM);
	d->store.backend = &dir_backend;
	d->env = *env;
	d->dirfd = -1;
	error = open_dir(d, base, !env->conf->read_only);
	if (error == 0)
		error = jobs_open(DIR_THREADS, env->loop, &d->jobs);
	if (error == 0) {
		*ret_store = &d->store;
		return (0);
	}
	if (asprintf(ret_error, "bucket: directory %s: %s%s", d->path != NULL ? d->path : base,
		strerror(-error),
		error == -ENOENT ? " (create it)" :
		error == -EACCES ? " (make it writable for the user that `user` names)" : "") < 0)
		*ret_error = NULL;
	dir_close(&d->store);
	return (error);
}
