/* SPDX-License-Identifier: ISC */
/*
 * sector.c -- bookkeeping of unsynced sectors; see sector.h.
 */
#include "tests/forgetfs/sector.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

static struct page *
page_of(const struct sec *s)
{
	return (s->f->page[s->sector / FF_SECTORS_PER_PAGE]);
}

static struct sec *
sector_new(struct image *m, struct ff_file *f, struct page *p, uint64_t sector)
{
	struct sec *s = calloc(1, sizeof(*s));

	if (m->nunsynced == m->cap) {
		m->cap = m->cap > 0 ? m->cap * 2 : 1024;
		m->unsynced = reallocarray(m->unsynced, m->cap, sizeof(*m->unsynced));
	}
	if (s == NULL || m->unsynced == NULL)
		err(1, "out of memory");
	s->f = f;
	s->sector = sector;
	s->index = m->nunsynced;
	m->unsynced[m->nunsynced++] = s;
	memcpy(s->base, p->now + sector % FF_SECTORS_PER_PAGE * FF_SECTOR, FF_SECTOR);
	p->sec[sector % FF_SECTORS_PER_PAGE] = s;
	return (s);
}

void
sector_write(struct image *m, struct ff_file *f, struct page *p, uint64_t sector, size_t at,
    const uint8_t *buf, size_t len)
{
	uint8_t *now = p->now + sector % FF_SECTORS_PER_PAGE * FF_SECTOR;
	struct sec *s = p->sec[sector % FF_SECTORS_PER_PAGE];
	struct version *v;

	if (s == NULL)
		s = sector_new(m, f, p, sector);
	if (s->nver == FF_VERSIONS)
		free(s->ver[--s->nver]);
	if ((v = malloc(sizeof(*v))) == NULL)
		err(1, "out of memory");
	memcpy(now + at, buf, len);
	v->op = m->op;
	memcpy(v->bytes, now, FF_SECTOR);
	s->ver[s->nver++] = v;
}

void
sector_free(struct image *m, struct sec *s)
{
	page_of(s)->sec[s->sector % FF_SECTORS_PER_PAGE] = NULL;
	m->unsynced[s->index] = m->unsynced[--m->nunsynced];
	m->unsynced[s->index]->index = s->index;
	for (unsigned i = 0; i < s->nver; i++)
		free(s->ver[i]);
	free(s);
}

void
sector_drop_all(struct image *m, struct ff_file *f)
{
	for (size_t i = m->nunsynced; i-- > 0;)
		if (m->unsynced[i]->f == f)
			sector_free(m, m->unsynced[i]);
}

void
image_sync(struct image *m, struct ff_file *f)
{
	for (size_t i = m->nunsynced; i-- > 0;)
		if (m->unsynced[i]->f == f && m->unsynced[i]->nver > 0)
			sector_free(m, m->unsynced[i]);
	f->disk_size = f->size;
}

void
image_sync_range(struct image *m, struct ff_file *f, uint64_t off, uint64_t len)
{
	for (size_t i = m->nunsynced; i-- > 0;) {
		const struct sec *s = m->unsynced[i];

		if (s->f == f && s->nver > 0 && s->sector * FF_SECTOR < off + len &&
		    (s->sector + 1) * FF_SECTOR > off)
			sector_free(m, m->unsynced[i]);
	}
}
