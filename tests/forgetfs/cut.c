/* SPDX-License-Identifier: ISC */
/*
 * cut.c -- the power goes: which version of each unsynced sector the disk holds.
 *
 * A choice depends on the seed, the file and the sector alone, so the same seed on the same state
 * gives the same image, whether it is saved or applied.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/forgetfs/sector.h"

struct choice {
	uint64_t seed;
	enum ff_mode mode;
	unsigned bias;	 /* of 8: how likely something is kept */
	uint64_t moment; /* number of a write */
};

static const char *const mode_words[] = {
    "forget", "keep", "sectors", "ops", "prefix", "suffix", "auto"};

bool
image_mode_of(const char *word, enum ff_mode *ret_mode)
{
	for (unsigned i = 0; i < sizeof(mode_words) / sizeof(mode_words[0]); i++)
		if (strcmp(word, mode_words[i]) == 0) {
			*ret_mode = (enum ff_mode)i;
			return (true);
		}
	return (false);
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) ^ (b + UINT64_C(0xD1B54A32D192ED03));

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (x ^ (x >> 31));
}

static struct choice
choose(const struct image *m, uint64_t seed, enum ff_mode mode)
{
	struct choice c = {.seed = seed, .mode = mode};
	uint64_t first = m->op;

	if (mode == FF_AUTO) {
		/* Everything kept and nothing kept are two images only: rarely. */
		static const uint8_t often[16] = {FF_FORGET, FF_KEEP, FF_SECTORS, FF_SECTORS,
		    FF_SECTORS, FF_SECTORS, FF_OPS, FF_OPS, FF_OPS, FF_OPS, FF_PREFIX, FF_PREFIX,
		    FF_PREFIX, FF_SUFFIX, FF_SUFFIX, FF_SUFFIX};

		c.mode = (enum ff_mode)often[mix(seed, 1) % 16];
	}
	c.bias = 1 + mix(seed, 2) % 7;
	for (size_t i = 0; i < m->nunsynced; i++)
		if (m->unsynced[i]->nver > 0 && m->unsynced[i]->ver[0]->op < first)
			first = m->unsynced[i]->ver[0]->op;
	c.moment = first + mix(seed, 3) % (m->op - first + 1);
	return (c);
}

static bool
coin(const struct choice *c, uint64_t a, uint64_t b)
{
	return (mix(mix(c->seed, a), b) % 8 < c->bias);
}

/* NULL: the base. */
static const struct version *
version_of(const struct choice *c, const struct sec *s)
{
	uint64_t where = mix(s->f->ino, s->sector);

	switch (c->mode) {
	case FF_FORGET:
		return (NULL);
	case FF_KEEP:
		return (s->nver > 0 ? s->ver[s->nver - 1] : NULL);
	case FF_OPS:
		for (unsigned i = s->nver; i-- > 0;) {
			bool torn = mix(mix(c->seed, 4), s->ver[i]->op) % 4 == 0;

			if (coin(c, s->ver[i]->op, torn ? where : 0))
				return (s->ver[i]);
		}
		return (NULL);
	case FF_PREFIX:
	case FF_SUFFIX:
		for (unsigned i = s->nver; i-- > 0;)
			if (c->mode == FF_PREFIX ? s->ver[i]->op <= c->moment
						 : s->ver[i]->op >= c->moment)
				return (s->ver[i]);
		return (NULL);
	default:
		if (s->nver == 0 || !coin(c, 5, where))
			return (NULL);
		return (s->ver[mix(mix(c->seed, 6), where) % s->nver]);
	}
}

static bool
keeps_names(const struct choice *c)
{
	return (c->mode == FF_KEEP || (c->mode != FF_FORGET && coin(c, 7, 0)));
}

static uint64_t
size_after(const struct choice *c, const struct ff_file *f)
{
	bool now = c->mode == FF_KEEP || (c->mode != FF_FORGET && coin(c, 8, f->ino));

	return (now ? f->size : f->disk_size);
}

/* What lies behind the end is not there, should the file grow again. */
static void
clear_tail(struct ff_file *f)
{
	for (uint64_t i = f->size / FF_PAGE; i < f->npages; i++) {
		size_t from = i == f->size / FF_PAGE ? f->size % FF_PAGE : 0;

		if (f->page[i] != NULL)
			memset(f->page[i]->now + from, 0, FF_PAGE - from);
	}
}

void
image_cut(struct image *m, uint64_t seed, enum ff_mode mode)
{
	struct choice c = choose(m, seed, mode);
	bool names = keeps_names(&c);
	struct ff_file *f, *next;

	while (m->nunsynced > 0) {
		struct sec *s = m->unsynced[m->nunsynced - 1];
		const struct version *v = version_of(&c, s);
		struct page *p = s->f->page[s->sector / FF_SECTORS_PER_PAGE];

		memcpy(p->now + s->sector % FF_SECTORS_PER_PAGE * FF_SECTOR,
		    v != NULL ? v->bytes : s->base, FF_SECTOR);
		sector_free(m, s);
	}
	LIST_FOREACH (f, &m->files, link) {
		f->size = f->disk_size = size_after(&c, f);
		clear_tail(f);
		if (!names) {
			free(f->name);
			f->name = f->disk_name != NULL ? strdup(f->disk_name) : NULL;
		}
	}
	for (f = LIST_FIRST(&m->files); f != NULL; f = next) {
		next = LIST_NEXT(f, link);
		free(f->disk_name);
		f->disk_name = f->name != NULL ? strdup(f->name) : NULL;
		image_closed(m, f);
	}
}

/* An fsync failed: what of it reached the disk is decided now, and the rest is never written. */
void
image_sync_failed(struct image *m, struct ff_file *f, uint64_t seed)
{
	struct choice c = choose(m, seed, FF_SECTORS);

	for (size_t i = 0; i < m->nunsynced; i++) {
		struct sec *s = m->unsynced[i];
		const struct version *v = s->f == f ? version_of(&c, s) : NULL;

		if (s->f != f)
			continue;
		if (v != NULL)
			memcpy(s->base, v->bytes, FF_SECTOR);
		while (s->nver > 0)
			free(s->ver[--s->nver]);
	}
}

static int
save_file(const struct choice *c, const struct ff_file *f, int fd)
{
	static const uint8_t zeros[FF_PAGE];
	uint64_t size = size_after(c, f);

	if (ftruncate(fd, (off_t)size) < 0)
		return (-errno);
	for (uint64_t i = 0; i < f->npages && i * FF_PAGE < size; i++) {
		uint8_t buf[FF_PAGE];
		uint64_t n = size - i * FF_PAGE < FF_PAGE ? size - i * FF_PAGE : FF_PAGE;

		if (f->page[i] == NULL)
			continue;
		memcpy(buf, f->page[i]->now, FF_PAGE);
		for (unsigned k = 0; k < FF_SECTORS_PER_PAGE; k++) {
			const struct sec *s = f->page[i]->sec[k];
			const struct version *v = s != NULL ? version_of(c, s) : NULL;

			if (s != NULL)
				memcpy(
				    buf + k * FF_SECTOR, v != NULL ? v->bytes : s->base, FF_SECTOR);
		}
		if (memcmp(buf, zeros, FF_PAGE) != 0 &&
		    pwrite(fd, buf, n, (off_t)(i * FF_PAGE)) != (ssize_t)n)
			return (errno != 0 ? -errno : -EIO);
	}
	return (0);
}

int
image_save(struct image *m, uint64_t seed, enum ff_mode mode, int dirfd)
{
	struct choice c = choose(m, seed, mode);
	bool names = keeps_names(&c);
	struct ff_file *f;

	LIST_FOREACH (f, &m->files, link) {
		const char *name = names ? f->name : f->disk_name;
		int fd, error;

		if (name == NULL)
			continue;
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, f->mode & 0777);
		if (fd < 0)
			return (-errno);
		error = save_file(&c, f, fd);
		(void)close(fd);
		if (error < 0)
			return (error);
	}
	return (0);
}
