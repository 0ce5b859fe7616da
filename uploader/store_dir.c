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
 * ETags:    inode and time of change of a block's file, which is made anew by every PUT.
 * Durable:  an operation that succeeded survives a power cut: temporary file, fsync, rename, fsync of
 *           the directory.  A death leaves at most a temporary NAME.~XXXXXX, which is no block.
 */
#include "uploader/dir_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/conf.h"
#include "common/durable.h"
#include "uploader/fence.h"

#include "uploader/guard.h"

#define DIR_THREADS 8

/* ---- one operation ------------------------------------------------------------------------- */
static int
run_op(struct dir_op *o, char *scratch)
{
	struct store_dir *d = o->d;
	char name[NAME_SIZE], token[NAME_SIZE];
	int error;
	bool deletes = o->op->kind == STORE_DELETE || o->op->kind == STORE_DELETE_MANY;

	(void)name_of_block(&d->names, o->op->block, name);
	(void)name_of_token(&d->names, token);
	if (deletes && fence_closed(d->env.state))
		return (FENCE_ERROR);
	if (dir_test_discards(o, &error))
		return (error);
	switch (o->op->kind) {
	case STORE_GET:
		return (dir_get(o, name, scratch));
	case STORE_PUT:
		return (dir_put(o, name, scratch));
	case STORE_DELETE:
		return (durable_unlink(d->dirfd, name));
	case STORE_DELETE_MANY:
		return (dir_delete_many(o));
	case STORE_LIST:
		return (dir_list(o));
	case STORE_STAT:
	case STORE_PEEK: /* never encoded: there is nothing to see in it */
		return (dir_stat(o, name));
	case STORE_TOKEN_GET:
		return (dir_token_get(o, token));
	case STORE_TOKEN_PUT:
		return (dir_token_put(o, token));
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
		return (FAIL_TRANSIENT); /* full, out of memory, a bad disk: may heal */
	}
}

static void
op_run(struct job *j, void *scratch)
{
	struct dir_op *o = (struct dir_op *)j;
	struct store_reply *r = &o->op->reply;
	enum dir_fate fate = dir_test_fate(o);
	int error = fate == DIR_FAILS ? -EIO : run_op(o, scratch);

	if (fate == DIR_FAILS_AFTERWARDS && error == 0)
		error = -EIO;
	r->fail = fail_of_errno(error);
	r->error = error;
	if (r->fail == FAIL_DATA)
		(void)snprintf(r->why, sizeof(r->why),
		    "%s: the file of block %" PRIu32
		    " has not the size of a block (check blockSize)",
		    o->d->path, o->op->block);
	else if (error < 0)
		(void)snprintf(r->why, sizeof(r->why), "%s: %s%s", o->d->path, strerror(-error),
		    fate != DIR_AS_USUAL ? " (test-errors)" : "");
}

static void
op_done(struct job *j)
{
	struct dir_op *o = (struct dir_op *)j;
	struct store_op *op = o->op;

	for (size_t i = 0; i < o->nfound && op->on_block != NULL; i++)
		op->on_block(op, o->found[i].block, o->found[i].has_etag ? o->found[i].etag : NULL);
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
	o->job.urgent = op->kind == STORE_GET && !op->background;
	jobs_submit(o->d->jobs, &o->job);
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
    .found = dir_found,
    .close = dir_close,
};

/* The sub-directories that a prefix names, and the directory they end in. */
static int
open_dir(struct store_dir *d, const char *base, bool create)
{
	const char *prefix = d->env.names.prefix, *slash = strrchr(prefix, '/');
	int error;

	if (asprintf(&d->path, "%s%s%.*s", base, slash != NULL ? "/" : "",
		slash != NULL ? (int)(slash - prefix) : 0, prefix) < 0)
		return (-ENOMEM);
	for (char *p = d->path + strlen(base) + (slash != NULL);
	     create && slash != NULL && p != NULL;) {
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
		error == -ENOENT   ? " (create it)"
		: error == -EACCES ? " (make it writable for the user that `user` names)"
				   : "") < 0)
		*ret_error = NULL;
	dir_close(&d->store);
	return (error);
}
