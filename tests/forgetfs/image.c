/* SPDX-License-Identifier: ISC */
/*
 * image.c -- contents: pages, unsynced sectors, names.  What a cut leaves is in cut.c.
 */
#include "tests/forgetfs/image.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "tests/forgetfs/sector.h"

static void *
must_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		err(1, "out of memory");
	return (p);
}

static char *
must_strdup(const char *s)
{
	return (strcpy(must_alloc(strlen(s) + 1), s));
}

void
image_init(struct image *m)
{
	memset(m, 0, sizeof(*m));
	LIST_INIT(&m->files);
	m->next_ino = 2;
}

/* ---- names ------------------------------------------------------------------------------- */

struct ff_file *
image_find(struct image *m, const char *name)
{
	struct ff_file *f;

	LIST_FOREACH (f, &m->files, link)
		if (f->name != NULL && strcmp(f->name, name) == 0)
			return (f);
	return (NULL);
}

struct ff_file *
image_by_ino(struct image *m, uint64_t ino)
{
	struct ff_file *f;

	LIST_FOREACH (f, &m->files, link)
		if (f->ino == ino)
			return (f);
	return (NULL);
}

struct ff_file *
image_create(struct image *m, const char *name, mode_t mode)
{
	struct ff_file *f = must_alloc(sizeof(*f));

	f->ino = m->next_ino++;
	f->name = must_strdup(name);
	f->mode = mode;
	LIST_INSERT_HEAD(&m->files, f, link);
	return (f);
}

void
image_closed(struct image *m, struct ff_file *f)
{
	if (f->name != NULL || f->disk_name != NULL || f->opens > 0)
		return;
	sector_drop_all(m, f);
	for (uint64_t i = 0; i < f->npages; i++)
		free(f->page[i]);
	free(f->page);
	LIST_REMOVE(f, link);
	free(f);
}

void
image_unlink(struct image *m, struct ff_file *f)
{
	free(f->name);
	f->name = NULL;
	image_closed(m, f);
}

void
image_rename(struct image *m, struct ff_file *f, const char *to)
{
	struct ff_file *old = image_find(m, to);

	if (old == f)
		return;
	free(f->name);
	f->name = must_strdup(to);
	if (old != NULL)
		image_unlink(m, old);
}

void
image_sync_dir(struct image *m)
{
	struct ff_file *f, *next;

	for (f = LIST_FIRST(&m->files); f != NULL; f = next) {
		next = LIST_NEXT(f, link);
		free(f->disk_name);
		f->disk_name = f->name != NULL ? must_strdup(f->name) : NULL;
		image_closed(m, f);
	}
}

/* ---- contents ---------------------------------------------------------------------------- */

static struct page *
page_at(struct ff_file *f, uint64_t i)
{
	if (i >= f->npages) {
		uint64_t n = f->npages * 2 > i + 1 ? f->npages * 2 : i + 1;

		f->page = reallocarray(f->page, n, sizeof(*f->page));
		if (f->page == NULL)
			err(1, "out of memory");
		memset(f->page + f->npages, 0, (n - f->npages) * sizeof(*f->page));
		f->npages = n;
	}
	if (f->page[i] == NULL)
		f->page[i] = must_alloc(sizeof(struct page));
	return (f->page[i]);
}

size_t
image_read(const struct ff_file *f, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	if (off >= f->size)
		return (0);
	if (len > f->size - off)
		len = (size_t)(f->size - off);
	while (done < len) {
		uint64_t i = (off + done) / FF_PAGE;
		size_t at = (off + done) % FF_PAGE, n = FF_PAGE - at;

		n = n < len - done ? n : len - done;
		if (i < f->npages && f->page[i] != NULL)
			memcpy((char *)buf + done, f->page[i]->now + at, n);
		else
			memset((char *)buf + done, 0, n);
		done += n;
	}
	return (len);
}

/* NULL: zeros. */
static void
put(struct image *m, struct ff_file *f, const uint8_t *buf, uint64_t len, uint64_t off)
{
	static const uint8_t zeros[FF_SECTOR];

	while (len > 0) {
		uint64_t s = off / FF_SECTOR;
		size_t at = off % FF_SECTOR, n = FF_SECTOR - at;
		struct page *p;

		n = n < len ? n : len;
		/* Zeros over what was never written: nothing changes, and memory stays small. */
		if (buf == NULL && (off / FF_PAGE >= f->npages || f->page[off / FF_PAGE] == NULL)) {
			off += n;
			len -= n;
			continue;
		}
		p = page_at(f, off / FF_PAGE);
		sector_write(m, f, p, s, at, buf != NULL ? buf : zeros, n);
		buf = buf != NULL ? buf + n : NULL;
		off += n;
		len -= n;
	}
}

void
image_write(struct image *m, struct ff_file *f, const void *buf, size_t len, uint64_t off)
{
	m->op++;
	put(m, f, buf, len, off);
	if (off + len > f->size)
		f->size = off + len;
}

void
image_zero(struct image *m, struct ff_file *f, uint64_t off, uint64_t len)
{
	m->op++;
	if (off < f->size)
		put(m, f, NULL, len < f->size - off ? len : f->size - off, off);
}

void
image_resize(struct image *m, struct ff_file *f, uint64_t size)
{
	if (size < f->size)
		image_zero(m, f, size, f->size - size); /* a later growth reads zeros there */
	f->size = size;
}
