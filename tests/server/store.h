/* SPDX-License-Identifier: ISC */
/*
 * store.h -- buckets and objects, in memory or in a directory.
 *
 * An object never changes: a PUT makes a new one and swaps the pointer, so a reader that holds a
 * reference sees one version whatever happens.  Bodies are counted apart from objects, for copies
 * and answers under way.
 *
 * Process:  s3testd, any thread.
 * Locks:    a bucket's keys live in shards, each with a mutex held for a pointer swap (and, with a
 *           directory, a rename).  The ordered tree has its own rwlock, taken inside a shard's
 *           when a key appears or goes.  Bodies are never moved under a lock.
 * Errors:   -errno as given at each function; -EIO and friends from the directory.
 */
#ifndef S3TESTD_STORE_H
#define S3TESTD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct body {
	_Atomic int refs;
	char *data;
	size_t len, cap;
	bool mapped; /* munmap, not free */
};

struct body *body_new(size_t cap);
struct body *body_from(char *data, size_t len); /* takes a malloc'd buffer */
struct body *body_ref(struct body *);
void body_unref(struct body *);

struct meta { /* a response header to be */
	char *name, *value;
};

struct object {
	_Atomic int refs;
	struct body *body; /* NULL when the bytes are in `path` */
	char *path;
	_Atomic bool unlink; /* replaced: remove the file with the last reference */
	size_t size;
	char etag[33];
	time_t mtime;
	struct meta *meta;
	int nmeta;
	struct object *previous; /* kept for `stale` faults only */
};

struct object *object_new(struct body *, const char *etag); /* takes the body's reference */
void object_meta(struct object *, const char *name, const char *value);
const char *object_meta_get(const struct object *, const char *name);
struct object *object_ref(struct object *);
void object_unref(struct object *);
struct body *object_body(struct object *); /* a new reference; NULL: the file is unreadable */

struct bucket;

int store_open(const char *dir); /* NULL: memory */
/* -EEXIST, -EINVAL: not a bucket name. */
int store_bucket_new(const char *name);
struct bucket *store_bucket(const char *name); /* NULL: no such */
/* The bucket whose name and a dot begin `host`, the longest; NULL: none. */
struct bucket *store_bucket_of_host(const char *host);
const char *store_bucket_name(const struct bucket *);
uint64_t store_count(void); /* objects in all buckets */

struct store_cond {
	bool none_match_any;  /* If-None-Match: * */
	const char *if_match; /* or NULL */
};

/* A reference, or NULL.  _previous: the version the present one replaced, if kept. */
struct object *store_get(struct bucket *, const char *key);
struct object *store_get_previous(struct bucket *, const char *key);
/*
 * Takes the reference.  -EEXIST: the condition failed; -ENOENT: If-Match and no such key.
 * keep_previous: remember what was replaced (one version).
 */
int store_put(struct bucket *, const char *key, struct object *, const struct store_cond *,
    bool keep_previous);
int store_delete(struct bucket *, const char *key, const struct store_cond *);
/* The first key >= `from` (> if !inclusive), allocated; NULL: no more. */
char *store_next(struct bucket *, const char *from, bool inclusive);

#endif
