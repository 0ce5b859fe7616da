/* SPDX-License-Identifier: ISC */
#include "uploader/dir_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
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
#include "common/durable.h"
#include "uploader/etag.h"
#include "uploader/fence.h"
#include "uploader/look.h"
#include "uploader/payload.h"

#include "uploader/guard.h"

/* ---- temporary files ------------------------------------------------------------------------ */
static void
tmp_name(const char *name, char buf[TMP_SIZE])
{
	static const char chars[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strlcpy(buf, name, NAME_SIZE);

	buf[n++] = '.';
	buf[n++] = '~';
	for (unsigned i = 0; i < 6; i++)
		buf[n++] = chars[arc4random_uniform(sizeof(chars) - 1)];
	buf[n] = '\0';
}

int
dir_create_tmp(const struct store_dir *d, const char *name, char tmp[TMP_SIZE])
{
	int fd;

	do {
		tmp_name(name, tmp);
		fd =
		    openat(d->dirfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (fd < 0 && errno == EEXIST);
	return (fd < 0 ? -errno : fd);
}

bool
dir_is_tmp(const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	if (len <= 8 || strncmp(name + len - 8, ".~", 2) != 0)
		return (false);
	for (const char *p = name + len - 6; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p))
			return (false);
	*ret_len = len - 8;
	return (true);
}

/* ---- sizes -------------------------------------------------------------------------------- */
static void
meta_name(const struct store_dir *d, char buf[NAME_SIZE])
{
	(void)snprintf(buf, NAME_SIZE, "%s.s3backer", d->names.prefix);
}

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

/* ---- ETags -------------------------------------------------------------------------------- */
/*
 * A block's file is replaced, never changed, so its inode number and time say which version it is.
 * Not the time of the inode, which the rename and a backup change.
 */
static void
etag_of(const struct stat *st, uint8_t etag[16])
{
	uint64_t ino = htole64((uint64_t)st->st_ino);
	uint64_t when = htole64(
	    (uint64_t)st->st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st->st_mtim.tv_nsec);

	memcpy(etag, &ino, 8);
	memcpy(etag + 8, &when, 8);
}

static void
set_etag(struct dir_op *o, const struct stat *st)
{
	uint8_t etag[16];

	etag_of(st, etag);
	etag_text(etag, o->op->reply.etag);
}

/* ---- blocks -------------------------------------------------------------------------------- */
int
dir_get(struct dir_op *o, const char *name, char *piece)
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
	set_etag(o, &st);
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

int
dir_put(struct dir_op *o, const char *name, char *piece)
{
	const struct store_dir *d = o->d;
	const struct payload *p = o->op->payload;
	char tmp[TMP_SIZE];
	AUTO_FD int fd = -1;
	struct stat st;
	int error = 0;

	if ((fd = dir_create_tmp(d, name, tmp)) < 0)
		return (fd);
	for (uint64_t at = 0, n; at < p->len && error == 0; at += n) {
		n = min_u64(JOBS_SCRATCH, p->len - at);
		if ((error = payload_read(p, at, piece, n)) == 0)
			error = pwrite_full(fd, piece, n, (off_t)at);
	}
	if (error == 0 && o->op->block == 0)
		error = sizes_to_block0(d, fd);
	if (error == 0 && fstat(fd, &st) < 0)
		error = -errno;
	if (error == 0 && fence_closed(d->env.state))
		error = FENCE_ERROR;
	if (error == 0)
		error = durable_rename(fd, d->dirfd, tmp, name);
	if (error == 0)
		set_etag(o, &st);
	if (error < 0)
		(void)unlinkat(d->dirfd, tmp, 0);
	return (error);
}

int
dir_delete_many(struct dir_op *o)
{
	char name[NAME_SIZE];

	for (unsigned i = 0; i < o->op->nblocks; i++) {
		(void)name_of_block(&o->d->names, o->op->blocks[i], name);
		if (unlinkat(o->d->dirfd, name, 0) < 0 && errno != ENOENT)
			return (-errno);
	}
	return (durable_sync_dir(o->d->dirfd));
}

int
dir_stat(struct dir_op *o, const char *name)
{
	struct store_reply *r = &o->op->reply;
	AUTO_FD int fd = -1;
	struct stat st;

	fd = openat(o->d->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (-errno);
	if (fstat(fd, &st) < 0)
		return (-errno);
	set_etag(o, &st);
	r->length = (uint64_t)st.st_size;
	r->block_size = attribute(fd, "user.s3backer.blocksize");
	r->file_size = attribute(fd, "user.s3backer.filesize");
	if (r->block_size == 0 || r->file_size == 0)
		sizes_from_file(o->d, r);
	return (0);
}

static int
remember(struct dir_op *o, uint32_t block, int dirfd, const char *name)
{
	struct dir_found *f;
	struct stat st;

	if (o->nfound == o->room) {
		size_t room = o->room != 0 ? 2 * o->room : 1024;
		struct dir_found *more = reallocarray(o->found, room, sizeof(*more));

		if (more == NULL)
			return (-ENOMEM);
		o->found = more;
		o->room = room;
	}
	f = &o->found[o->nfound++];
	*f = (struct dir_found){.block = block};
	f->has_etag = o->op->want_etags && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (f->has_etag)
		etag_of(&st, f->etag);
	return (0);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct dir_found *)a)->block;
	uint32_t y = ((const struct dir_found *)b)->block;

	return (x < y ? -1 : x > y);
}

int
dir_list(struct dir_op *o)
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
	while (errno = 0, error == 0 && (e = readdir(dir)) != NULL) {
		if (o->op->look != NULL)
			look_note(o->op->look, &o->d->names, e->d_name, strlen(e->d_name));
		if (name_parse(&o->d->names, e->d_name, strlen(e->d_name), &block) &&
		    block >= o->op->first && block <= o->op->last)
			error = remember(o, block, dirfd(dir), e->d_name);
	}
	if (error == 0)
		error = -errno;
	closedir(dir);
	if (o->nfound > 0)
		qsort(o->found, o->nfound, sizeof(o->found[0]), by_number);
	return (error);
}
