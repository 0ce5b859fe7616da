/* SPDX-License-Identifier: ISC */
#include "uploader/dir_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/durable.h"
#include "common/log.h"
#include "uploader/s3_sign.h"

#include "uploader/guard.h"

static void
token_etag(const char *text, char etag[80])
{
	uint8_t md5[16];
	char hex[33];

	gcry_md_hash_buffer(GCRY_MD_MD5, md5, text, strlen(text));
	sign_hex(md5, 16, hex);
	(void)snprintf(etag, 80, "\"%s\"", hex);
}

int
dir_token_get(struct dir_op *o, const char *name)
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

/*
 * Temporary files that a death left behind.  Who has the token is alone with this disk and has not
 * begun to write, so none of them is anybody's.
 */
static void
sweep_tmp(const struct store_dir *d)
{
	int fd = openat(d->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char token[NAME_SIZE];
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	uint32_t block;
	size_t len;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	(void)name_of_token(&d->names, token);
	while ((e = readdir(dir)) != NULL) {
		if (!dir_is_tmp(e->d_name, &len) ||
		    (!name_parse(&d->names, e->d_name, len, &block) &&
			(len != strlen(token) || strncmp(e->d_name, token, len) != 0)))
			continue;
		log_info("removing what a crash left behind: file=%s", e->d_name);
		(void)unlinkat(d->dirfd, e->d_name, 0);
	}
	closedir(dir);
}

/* link(2) is the create-if-absent of directories: it never replaces. */
int
dir_token_put(struct dir_op *o, const char *name)
{
	const struct store_op *op = o->op;
	char tmp[TMP_SIZE], text[STORE_BODY_MAX];
	struct dir_op now = *o;
	struct store_op get = {.kind = STORE_TOKEN_GET};
	AUTO_FD int fd = -1;
	int n, error;

	if (op->condition == STORE_IF_MATCH) {
		now.op = &get;
		if (dir_token_get(&now, name) < 0 || strcmp(get.reply.etag, op->match) != 0)
			return (-EEXIST);
	}
	n = snprintf(text, sizeof(text), "%stoken: %08x\n", op->body, op->token);
	if (n < 0 || (size_t)n >= sizeof(text))
		return (-ENAMETOOLONG);
	if ((fd = dir_create_tmp(o->d, name, tmp)) < 0)
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
	if (error == 0 && !op->renewal)
		sweep_tmp(o->d);
	token_etag(text, o->op->reply.etag);
	return (error);
}
