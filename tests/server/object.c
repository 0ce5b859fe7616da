/* SPDX-License-Identifier: ISC */
/*
 * object.c -- bodies and objects: counted, immutable once stored (see store.h).
 */
#include "tests/server/store.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sys/mman.h>

#include "tests/server/text.h"

struct body *
body_new(size_t cap)
{
	struct body *b = xcalloc(1, sizeof(*b));

	b->refs = 1;
	b->cap = cap;
	b->data = xmalloc(cap);
	return (b);
}

struct body *
body_from(char *data, size_t len)
{
	struct body *b = xcalloc(1, sizeof(*b));

	b->refs = 1;
	b->data = data;
	b->len = b->cap = len;
	return (b);
}

struct body *
body_ref(struct body *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return (b);
}

void
body_unref(struct body *b)
{
	/* acq_rel: the freeing thread must see the others' last looks as over. */
	if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (b->mapped)
		munmap(b->data, b->len);
	else
		free(b->data);
	free(b);
}

struct object *
object_new(struct body *body, const char *etag)
{
	struct object *o = xcalloc(1, sizeof(*o));

	o->refs = 1;
	o->body = body;
	o->size = body ? body->len : 0;
	strncpy(o->etag, etag, sizeof(o->etag) - 1);
	o->mtime = time(NULL);
	return (o);
}

void
object_meta(struct object *o, const char *name, const char *value)
{
	o->meta = xrealloc(o->meta, (size_t)(o->nmeta + 1) * sizeof(*o->meta));
	o->meta[o->nmeta++] = (struct meta){xstrdup(name), xstrdup(value)};
}

const char *
object_meta_get(const struct object *o, const char *name)
{
	for (int i = 0; i < o->nmeta; i++) {
		if (strcasecmp(o->meta[i].name, name) == 0)
			return (o->meta[i].value);
	}
	return (NULL);
}

struct object *
object_ref(struct object *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return (o);
}

void
object_unref(struct object *o)
{
	if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (o->path != NULL && o->unlink)
		unlink(o->path);
	for (int i = 0; i < o->nmeta; i++) {
		free(o->meta[i].name);
		free(o->meta[i].value);
	}
	free(o->meta);
	free(o->path);
	body_unref(o->body);
	object_unref(o->previous);
	free(o);
}

struct body *
object_body(struct object *o)
{
	struct body *b;
	void *p;
	int fd;

	if (o->body != NULL)
		return (body_ref(o->body));
	if (o->size == 0)
		return (body_new(0));
	fd = open(o->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return (NULL);
	/* The file is never written again, only unlinked: the mapping cannot fault. */
	p = mmap(NULL, o->size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return (NULL);
	b = body_from(p, o->size);
	b->mapped = true;
	return (b);
}
