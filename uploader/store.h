/* SPDX-License-Identifier: ISC */
/*
 * store.h -- what a store can do: one attempt of one operation, asynchronously.
 *
 * Process:  uploader.  Threads: main thread only; a backend may have threads inside.
 * Owns:     a struct store_op is the caller's and belongs to the store from store_submit() until its
 *           `done`, which is never called from inside store_submit().
 * Errors:   op->reply says how it went; whether and when to try again is the caller's business
 *           (retry.h), except for what the store heals itself (reply.healed: just submit again).
 *
 * Backends: store_s3.c (HTTP), store_dir.c (a directory).
 */
#ifndef S3B_UPLOADER_STORE_H
#define S3B_UPLOADER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uploader/names.h"
#include "uploader/retry.h"
#include "uploader/slot_io.h"

struct codec;
struct conf;
struct cred_reader;
struct counters;
struct ipc_pool;
struct ipc_state;
struct jobs;
struct look;
struct loop;
struct payload;
struct store;

#define STORE_DELETE_MAX 1000	/* objects in one DELETE_MANY */
#define STORE_BODY_MAX	 2048	/* of the mount token */

enum store_kind {
	STORE_GET,	   /* block, off..off+len, into `io` */
	STORE_PUT,	   /* block from `payload` */
	STORE_DELETE,	   /* block */
	STORE_DELETE_MANY, /* `blocks`, `nblocks`; FAIL_UNSUPPORTED: delete them one by one */
	STORE_LIST,	   /* a page: blocks first..last behind `after`; on_block for each */
	STORE_STAT,	   /* block: is it there, its length, ETag, size headers */
	STORE_PEEK,	   /* block: the object as it is stored, into `data`, with what STAT says */
	STORE_TOKEN_GET,
	STORE_TOKEN_PUT,   /* token, body, condition */
	STORE_TOKEN_DROP
};

enum store_condition { STORE_ALWAYS, STORE_IF_ABSENT, STORE_IF_MATCH };

struct store_reply {
	enum fail fail;
	int	  http;		/* status, 0: none */
	int	  error;	/* -errno of the transport or file system */
	bool	  healed;	/* clock or region have been put right: submit again at once */
	bool	  object_bad;	/* GET: this object is at fault, not the store as such */
	bool	  unknown;	/* a PUT or DELETE that failed and may have had its effect, or ran twice */
	bool	  may_land;	/* or may yet have it: it was cut off while the store worked on it */
	uint64_t  retry_after_us;
	char	  etag[80];	/* with its quotes, "" if none */
	uint32_t  crc;		/* GET of a whole block */
	uint64_t  bytes;	/* of body */
	char	  why[320];	/* one line: what failed and what to change */

	uint64_t  length, block_size, file_size; /* STAT; sizes 0: not recorded */
	char	  encoding[64], hmac[48]; /* STAT, PEEK: as they came, "" if none */
	bool	  has_token;
	uint32_t  token;	/* TOKEN_GET */
	char	  body[STORE_BODY_MAX];
	bool	  more;		/* LIST: `after` was moved on, ask again */
};

struct store_op {
	enum store_kind	 kind;
	uint32_t	 block;
	uint32_t	 off, len;	/* GET */
	bool		 widen;		/* GET: off, len may become the whole block */
	bool		 background;	/* GET: read-ahead, nobody waits for it yet */
	bool		 want_body_codes; /* STAT: by GET, so that errors come with their reasons */
	struct slot_io	 io;		/* GET; fd -1: throw it away */
	bool		 verify;	/* GET: check it whatever verifyReads says */
	struct payload	*payload;	/* PUT */
	const uint32_t	*blocks;	/* DELETE_MANY */
	unsigned	 nblocks;
	uint32_t	 first, last;	/* LIST, inclusive */
	char		 after[NAME_SIZE]; /* LIST: "" at first; moved on by each page */
	bool		 want_etags;	/* LIST: a directory has to look at each file for them */
	struct look	*look;		/* LIST: told of every name; NULL: nobody */
	bool		 whole_bucket;	/* LIST with look: not only what begins with the prefix */
	uint8_t		*data;		/* PEEK: malloc'd, the caller's to free */
	size_t		 data_len;
	/* LIST; etag NULL: not known */
	void	       (*on_block)(struct store_op *, uint32_t block, const uint8_t *etag);
	uint32_t	 token;		/* TOKEN_PUT */
	const char	*body;
	enum store_condition condition;
	const char	*match;		/* STORE_IF_MATCH: ETag with quotes */
	bool		 key_object;	/* TOKEN_*: the key object in place of the token */
	bool		 renewal;	/* TOKEN_PUT: blocks may be on their way meanwhile */
	uint64_t	 limit_us;	/* of the attempt, where it can be cut; 0: the usual */

	uint8_t		 odd_md5[16];	/* GET: what came under odd_etag and did not fit it */
	char		 odd_etag[80];

	void	       (*done)(struct store_op *);
	void		*arg;
	struct store_reply reply;
	void		*priv;		/* the backend's */
};

struct store_backend {
	const char *name;
	void (*submit)(struct store *, struct store_op *);
	/* Cut it: true, and `done` is never called.  False: too late.  NULL: cannot. */
	bool (*cancel)(struct store *, struct store_op *);
	void (*close)(struct store *);
	/* What it signs with, for the user; NULL: it does not sign. */
	void (*keys)(struct store *, char *buf, size_t size);
	/* "region=eu-west-1 style=vhost": what it found out that others should be told; may be "" */
	void (*found)(struct store *, char *buf, size_t size);
};

struct store {
	const struct store_backend *backend;
	bool learn_md5;	/* the next PUT does well to know its MD5 */
	bool parts;	/* a part of a block can be had alone, and is as good as the whole of it */
};

struct store_env {		/* borrowed until the store is closed, where it is a pointer */
	struct conf	   *conf;
	struct loop	   *loop;
	struct jobs	   *jobs;	/* for hashing and codecs */
	const struct codec *codec;
	struct cred_reader *reader;	/* credentials.h; NULL: none is needed */
	struct counters	   *counters;
	const struct ipc_state *state;	/* fence.h; NULL: store tool */
	struct ipc_pool	   *pool;	/* limits of all uploaders together; NULL: store tool */
	struct names	    names;
	uint64_t	    block_size, file_size;	/* 0: not known (store tool) */
	unsigned	    max_transfers;		/* of this process */
	unsigned	    nprocesses;			/* of the pool, to share buffers among */
};

int	store_s3_open(const struct store_env *, struct store **ret_store, char **ret_error);
int	store_dir_open(const struct store_env *, struct store **ret_store, char **ret_error);

static inline int
store_open(const struct store_env *env, bool is_dir, struct store **ret_store, char **ret_error)
{
	return (is_dir ? store_dir_open(env, ret_store, ret_error) :
			 store_s3_open(env, ret_store, ret_error));
}

static inline void
store_submit(struct store *s, struct store_op *op)
{
	s->backend->submit(s, op);
}

static inline bool
store_cancel(struct store *s, struct store_op *op)
{
	return (s->backend->cancel != NULL && s->backend->cancel(s, op));
}

static inline void
store_close(struct store **s)
{
	if (*s != NULL)
		(*s)->backend->close(*s);
	*s = NULL;
}

#endif
