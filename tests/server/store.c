/* SPDX-License-Identifier: ISC */
/*
 * store.c -- buckets: hashed keys for requests, a tree for listings (see store.h).
 */
#include "tests/server/store.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/tree.h>

#include "tests/server/cond.h"
#include "tests/server/store_dir.h"
#include "tests/server/synthetic.h"
#include "tests/server/text.h"

#define SHARDS 64

struct entry {
	RB_ENTRY(entry) node;
	struct entry *next; /* in the hash chain */
	uint64_t hash;
	struct object *object;
	char key[];
};

struct shard {
	pthread_mutex_t lock;
	struct entry **chain;
	size_t nchain, n; /* nchain is a power of two */
};

RB_HEAD(keys, entry);

struct bucket {
	struct bucket *next;
	char *name;
	struct shard shard[SHARDS];
	pthread_rwlock_t tree_lock;
	struct keys tree;
};

static struct {
	pthread_rwlock_t lock; /* the list; buckets are never freed */
	struct bucket *first;
	const char *dir;
	_Atomic uint64_t count;
} store = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static int
by_key(const struct entry *a, const struct entry *b)
{
	return (strcmp(a->key, b->key));
}

/* Generated code: the compiler need not like all of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
/* cppcheck-suppress unknownMacro */
RB_GENERATE_INTERNAL(keys, entry, node, by_key, static)
#pragma GCC diagnostic pop

static uint64_t
hash_key(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return (h ^ (h >> 29));
}

static struct shard *
shard_of(struct bucket *b, uint64_t hash)
{
	return (&b->shard[hash % SHARDS]);
}

/* The link that points at the entry, or at the NULL where it would go. */
static struct entry **
find(struct shard *s, uint64_t hash, const char *key)
{
	struct entry **e = &s->chain[(hash / SHARDS) & (s->nchain - 1)];

	while (*e != NULL && ((*e)->hash != hash || strcmp((*e)->key, key) != 0))
		e = &(*e)->next;
	return (e);
}

static void
grow(struct shard *s)
{
	size_t n = s->nchain * 2;
	struct entry **chain = xcalloc(n, sizeof(*chain));

	for (size_t i = 0; i < s->nchain; i++) {
		struct entry *e, *next;

		for (e = s->chain[i]; e != NULL; e = next) {
			struct entry **to = &chain[(e->hash / SHARDS) & (n - 1)];

			next = e->next;
			e->next = *to;
			*to = e;
		}
	}
	free(s->chain);
	s->chain = chain;
	s->nchain = n;
}

static struct entry *
insert(struct bucket *b, struct shard *s, uint64_t hash, const char *key)
{
	size_t len = strlen(key) + 1;
	struct entry *e = xcalloc(1, sizeof(*e) + len), **link;

	memcpy(e->key, key, len);
	e->hash = hash;
	if (s->n >= s->nchain)
		grow(s);
	link = find(s, hash, key);
	*link = e;
	s->n++;
	store.count++;
	pthread_rwlock_wrlock(&b->tree_lock);
	RB_INSERT(keys, &b->tree, e);
	pthread_rwlock_unlock(&b->tree_lock);
	return (e);
}

static void
replaced(struct object *old)
{
	if (old != NULL) {
		old->unlink = true;
		object_unref(old);
	}
}

static struct object *
get(struct bucket *b, const char *key, bool previous)
{
	uint64_t hash = hash_key(key);
	struct shard *s = shard_of(b, hash);
	struct object *o = NULL;
	struct entry *e;

	pthread_mutex_lock(&s->lock);
	e = *find(s, hash, key);
	if (e != NULL)
		o = previous ? e->object->previous : e->object;
	else if (!previous)
		o = synthetic_get(key);
	if (o != NULL)
		object_ref(o);
	pthread_mutex_unlock(&s->lock);
	return (o);
}

struct object *
store_get(struct bucket *b, const char *key)
{
	return (get(b, key, false));
}

struct object *
store_get_previous(struct bucket *b, const char *key)
{
	return (get(b, key, true));
}

static int
check_cond(const struct store_cond *c, const struct object *o)
{
	if (c == NULL)
		return (0);
	if (c->none_match_any && o != NULL)
		return (-EEXIST);
	if (c->if_match != NULL) {
		if (o == NULL)
			return (-ENOENT);
		if (!cond_etag_in(c->if_match, o->etag))
			return (-EEXIST);
	}
	return (0);
}

int
store_put(struct bucket *b, const char *key, struct object *o, const struct store_cond *cond,
    bool keep_previous)
{
	uint64_t hash = hash_key(key);
	struct shard *s = shard_of(b, hash);
	struct object *old = NULL;
	struct entry *e;
	int r = 0;

	if (store.dir != NULL && o->path == NULL)
		r = store_dir_write(store.dir, b->name, key, o);
	pthread_mutex_lock(&s->lock);
	e = *find(s, hash, key);
	if (r == 0)
		r = check_cond(cond, e != NULL ? e->object : synthetic_get(key));
	if (r == 0 && store.dir != NULL)
		r = store_dir_commit(store.dir, b->name, key, o);
	if (r == 0) {
		synthetic_delete(key);
		if (e == NULL)
			e = insert(b, s, hash, key);
		old = e->object;
		e->object = o;
		if (keep_previous && old != NULL) {
			/* One version back is enough; the one before that goes. */
			o->previous = old;
			old->unlink = true;
			old = NULL;
			replaced(o->previous->previous);
			o->previous->previous = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (r < 0) {
		o->unlink = true;
		object_unref(o);
	}
	replaced(old);
	return (r);
}

int
store_delete(struct bucket *b, const char *key, const struct store_cond *cond)
{
	uint64_t hash = hash_key(key);
	struct shard *s = shard_of(b, hash);
	struct entry **link, *e;
	int r;

	pthread_mutex_lock(&s->lock);
	link = find(s, hash, key);
	e = *link;
	r = check_cond(cond, e != NULL ? e->object : synthetic_get(key));
	if (r == 0)
		synthetic_delete(key);
	if (r == 0 && e != NULL && store.dir != NULL)
		r = store_dir_remove(store.dir, b->name, key);
	if (r == 0 && e != NULL) {
		*link = e->next;
		s->n--;
		store.count--;
		pthread_rwlock_wrlock(&b->tree_lock);
		RB_REMOVE(keys, &b->tree, e);
		pthread_rwlock_unlock(&b->tree_lock);
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (e != NULL) {
		replaced(e->object);
		free(e);
	}
	return (r);
}

char *
store_next(struct bucket *b, const char *from, bool inclusive)
{
	size_t len = strlen(from) + 1;
	struct entry *probe = xcalloc(1, sizeof(*probe) + len), *e;
	char *key = NULL, *other = synthetic_next(from, inclusive);

	memcpy(probe->key, from, len);
	pthread_rwlock_rdlock(&b->tree_lock);
	e = RB_NFIND(keys, &b->tree, probe);
	if (e != NULL && !inclusive && strcmp(e->key, from) == 0)
		e = RB_NEXT(keys, &b->tree, e);
	if (e != NULL)
		key = xstrdup(e->key);
	pthread_rwlock_unlock(&b->tree_lock);
	free(probe);
	if (other == NULL || (key != NULL && strcmp(key, other) <= 0)) {
		free(other);
		return (key);
	}
	free(key);
	return (other);
}

/* The rules for names of general purpose buckets, as far as they matter for URLs and files. */
static bool
good_bucket_name(const char *s)
{
	size_t len = strlen(s);

	if (len < 3 || len > 63 || !isalnum((unsigned char)s[0]) ||
	    !isalnum((unsigned char)s[len - 1]) || strstr(s, "..") != NULL)
		return (false);
	return (strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len);
}

struct bucket *
store_bucket(const char *name)
{
	struct bucket *b;

	pthread_rwlock_rdlock(&store.lock);
	for (b = store.first; b != NULL && strcmp(b->name, name) != 0; b = b->next)
		;
	pthread_rwlock_unlock(&store.lock);
	return (b);
}

struct bucket *
store_bucket_of_host(const char *host)
{
	struct bucket *best = NULL;
	size_t best_len = 0;

	pthread_rwlock_rdlock(&store.lock);
	for (struct bucket *b = store.first; b != NULL; b = b->next) {
		size_t len = strlen(b->name);

		if (len > best_len && strncmp(host, b->name, len) == 0 && host[len] == '.') {
			best = b;
			best_len = len;
		}
	}
	pthread_rwlock_unlock(&store.lock);
	return (best);
}

const char *
store_bucket_name(const struct bucket *b)
{
	return (b->name);
}

uint64_t
store_count(void)
{
	return (store.count);
}

int
store_bucket_new(const char *name)
{
	struct bucket *b;
	int r;

	if (!good_bucket_name(name))
		return (-EINVAL);
	if (store_bucket(name) != NULL)
		return (-EEXIST);
	if (store.dir != NULL && (r = store_dir_bucket(store.dir, name)) < 0)
		return (r);
	b = xcalloc(1, sizeof(*b));
	b->name = xstrdup(name);
	pthread_rwlock_init(&b->tree_lock, NULL);
	RB_INIT(&b->tree);
	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&b->shard[i].lock, NULL);
		b->shard[i].nchain = 16;
		b->shard[i].chain = xcalloc(16, sizeof(*b->shard[i].chain));
	}
	pthread_rwlock_wrlock(&store.lock);
	b->next = store.first;
	store.first = b;
	pthread_rwlock_unlock(&store.lock);
	return (0);
}

/* An object found on disk: into the tables, without writing it again. */
static int
loaded(const char *bucket, const char *key, struct object *o)
{
	const char *dir = store.dir;
	struct bucket *b;
	int r;

	store.dir = NULL;
	r = store_bucket_new(bucket);
	b = store_bucket(bucket);
	if (b != NULL && key != NULL)
		r = store_put(b, key, o, NULL, false);
	store.dir = dir;
	return (b != NULL ? 0 : r);
}

int
store_open(const char *dir)
{
	store.dir = dir;
	return (dir ? store_dir_load(dir, loaded) : 0);
}
