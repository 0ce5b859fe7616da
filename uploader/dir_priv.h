/* SPDX-License-Identifier: ISC */
/*
 * dir_priv.h -- what the files of the directory backend share; for nobody else.
 *
 *	store_dir.c	open, submit, close; threads
 *	dir_block.c	blocks, their sizes, the list
 *	dir_token.c	the mount token; what crashes left behind
 *	dir_test.c	delays and errors on request
 *
 * Everything named dir_* runs in a thread of the pool and returns 0 or -errno: -ENOENT absent,
 * -EEXIST a condition found otherwise, -EBADMSG a file that is no block.
 */
#ifndef S3B_UPLOADER_DIR_PRIV_H
#define S3B_UPLOADER_DIR_PRIV_H

#include "uploader/jobs.h"
#include "uploader/names.h"
#include "uploader/store.h"

#define TMP_SIZE (NAME_SIZE + 9)

struct store_dir {
	struct store	 store;	/* first */
	struct store_env env;
	struct jobs	*jobs;
	struct names	 names;	/* as env.names, with what follows the last '/' of the prefix */
	int		 dirfd;
	char		*path;	/* of it, for messages */
};

struct dir_found {
	uint32_t block;
	bool	 has_etag;
	uint8_t	 etag[16];
};

struct dir_op {
	struct job	  job;	/* first */
	struct store_dir *d;
	struct store_op	 *op;
	struct dir_found *found;	/* LIST */
	size_t		  nfound, room;
};

/* A new file NAME.~XXXXXX, and its descriptor: the old program leaves NAME.XXXXXX, users .backup. */
int	dir_create_tmp(const struct store_dir *, const char *name, char tmp[TMP_SIZE]);
bool	dir_is_tmp(const char *name, size_t *ret_len);	/* length without .~XXXXXX */

int	dir_get(struct dir_op *, const char *name, char *piece);
int	dir_put(struct dir_op *, const char *name, char *piece);
int	dir_delete_many(struct dir_op *);
int	dir_stat(struct dir_op *, const char *name);
int	dir_list(struct dir_op *);

/* What the test-* keys want of this operation; waits for test-delays. */
enum dir_fate { DIR_AS_USUAL, DIR_FAILS, DIR_FAILS_AFTERWARDS };
enum dir_fate dir_test_fate(const struct dir_op *);
bool	dir_test_discards(struct dir_op *, int *ret_error); /* true: that was all */

int	dir_token_get(struct dir_op *, const char *name);
int	dir_token_put(struct dir_op *, const char *name);

#endif
