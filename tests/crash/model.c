/* SPDX-License-Identifier: ISC */
/*
 * model.c -- what each sector may hold.
 *
 * Every write has a number, and each sector a history of numbers: the first is what is durable for
 * certain, the others came after it, in this order (ranges are locked, so two writes of a sector never
 * overlap).  A flush moves the beginning up to the last write that was acknowledged before the flush
 * was asked for.  After a cut any of the history is right; nothing else is.
 *
 * A sector's bytes follow from its place, the number and the seed of the disk, all of them, so bytes of
 * another block, another disk, or half a sector, are recognized as such.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/powercut.h"

#define HISTORY 24
#define MAGIC	UINT32_C(0x53334243)

struct cell {
	uint32_t value[HISTORY];
	uint64_t acked[HISTORY]; /* tick; 0: not acknowledged */
	uint8_t n;
	bool busy;
};

struct head { /* of a sector's bytes */
	uint32_t magic, sector, value, unused;
	uint64_t seed;
};

static struct cell *cells;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t unlocked = PTHREAD_COND_INITIALIZER;
static _Atomic uint32_t last_value;
static _Atomic uint64_t last_tick = 1;

int
model_open(void)
{
	free(cells);
	cells = calloc(shape.sectors, sizeof(*cells));
	for (uint32_t i = 0; cells != NULL && i < shape.sectors; i++)
		cells[i].n = 1; /* zeros, durable */
	return (cells != NULL ? 0 : -ENOMEM);
}

void
model_fill(uint32_t sector, uint32_t value, uint8_t buf[SECTOR])
{
	struct head h = {MAGIC, sector, value, 0, shape.seed};
	uint64_t x = mix64(shape.seed ^ sector, value), word[SECTOR / 8];

	if (value == 0) {
		memset(buf, 0, SECTOR);
		return;
	}
	for (unsigned i = 0; i < SECTOR / 8; i++)
		word[i] = x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	memcpy(word, &h, sizeof(h));
	memcpy(buf, word, SECTOR);
}

/* ---- ranges ------------------------------------------------------------------------------ */

static bool
is_busy(uint32_t sector, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (cells[sector + i].busy)
			return (true);
	return (false);
}

static void
set_busy(uint32_t sector, uint32_t n, bool busy)
{
	for (uint32_t i = 0; i < n; i++)
		cells[sector + i].busy = busy;
}

bool
model_try_lock(uint32_t sector, uint32_t n)
{
	bool free_now;

	(void)pthread_mutex_lock(&lock);
	if ((free_now = !is_busy(sector, n)))
		set_busy(sector, n, true);
	(void)pthread_mutex_unlock(&lock);
	return (free_now);
}

void
model_lock(uint32_t sector, uint32_t n)
{
	(void)pthread_mutex_lock(&lock);
	while (is_busy(sector, n))
		(void)pthread_cond_wait(&unlocked, &lock);
	set_busy(sector, n, true);
	(void)pthread_mutex_unlock(&lock);
}

void
model_unlock(uint32_t sector, uint32_t n)
{
	(void)pthread_mutex_lock(&lock);
	set_busy(sector, n, false);
	(void)pthread_cond_broadcast(&unlocked);
	(void)pthread_mutex_unlock(&lock);
}

/* ---- writes and flushes ------------------------------------------------------------------ */

uint32_t
model_value(void)
{
	return (atomic_fetch_add(&last_value, 1) + 1);
}

uint64_t
model_tick(void)
{
	return (atomic_load(&last_tick));
}

bool
model_begin(uint32_t sector, uint32_t n, uint32_t value)
{
	bool room = true;

	(void)pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < n && room; i++)
		room = cells[sector + i].n < HISTORY;
	for (uint32_t i = 0; i < n && room; i++) {
		struct cell *c = &cells[sector + i];

		c->acked[c->n] = 0;
		c->value[c->n++] = value;
	}
	(void)pthread_mutex_unlock(&lock);
	return (room);
}

uint32_t
model_newest(uint32_t sector)
{
	return (cells[sector].value[cells[sector].n - 1]); /* locked by the caller */
}

void
model_ack(uint32_t sector, uint32_t n)
{
	uint64_t tick = atomic_fetch_add(&last_tick, 1) + 1;

	(void)pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < n; i++) {
		struct cell *c = &cells[sector + i];

		c->acked[c->n - 1] = tick;
	}
	(void)pthread_mutex_unlock(&lock);
}

void
model_flushed(uint64_t tick)
{
	(void)pthread_mutex_lock(&lock);
	for (uint32_t s = 0; s < shape.sectors; s++) {
		struct cell *c = &cells[s];
		unsigned first = 0;

		for (unsigned i = 1; i < c->n; i++)
			if (c->acked[i] != 0 && c->acked[i] <= tick)
				first = i;
		memmove(c->value, c->value + first, (c->n - first) * sizeof(c->value[0]));
		memmove(c->acked, c->acked + first, (c->n - first) * sizeof(c->acked[0]));
		c->n = (uint8_t)(c->n - first);
	}
	(void)pthread_mutex_unlock(&lock);
}

/* ---- looking ----------------------------------------------------------------------------- */

/* Is it a sector of ours in this place?  *ret_value is its number. */
static bool
decode(uint32_t sector, const uint8_t *buf, uint32_t *ret_value)
{
	uint8_t want[SECTOR];
	struct head h;

	memcpy(&h, buf, sizeof(h));
	*ret_value = h.magic == MAGIC ? h.value : 0;
	model_fill(sector, *ret_value, want);
	return (memcmp(want, buf, SECTOR) == 0);
}

static void
explain(uint32_t sector, const uint8_t *buf, const char *where, const struct cell *c)
{
	char list[HISTORY * 12 + 1] = "";
	size_t used = 0;
	struct head h;

	memcpy(&h, buf, sizeof(h));
	for (unsigned i = 0; i < c->n && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, " %u%s", c->value[i],
		    c->acked[i] != 0 || i == 0 ? "" : "?");
	if (h.magic == MAGIC && (h.sector != sector || h.seed != shape.seed))
		fail("%s: block %u sector %u: bytes of block %u sector %u write %u%s; allowed:%s",
		    where, sector / shape.per_block, sector % shape.per_block,
		    h.sector / shape.per_block, h.sector % shape.per_block, h.value,
		    h.seed == shape.seed ? "" : " of another disk", list);
	else
		fail("%s: block %u sector %u: %s %u (%02x%02x%02x%02x...); allowed:%s", where,
		    sector / shape.per_block, sector % shape.per_block,
		    h.magic == MAGIC ? "write" : "no write of ours", h.magic == MAGIC ? h.value : 0,
		    buf[0], buf[1], buf[2], buf[3], list);
}

bool
model_reads_back(uint32_t sector, uint32_t n, const uint8_t *buf, const char *where)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct cell *c = &cells[sector + i];
		uint32_t v;
		bool right =
		    decode(sector + i, buf + (size_t)i * SECTOR, &v) && v == c->value[c->n - 1];

		/* A write that failed may have happened or not. */
		for (unsigned k = c->n; !right && k-- > 1 && c->acked[k] == 0;)
			right = v == c->value[k - 1];
		if (!right) {
			explain(sector + i, buf + (size_t)i * SECTOR, where, c);
			return (false);
		}
	}
	return (true);
}

bool
model_allows(const uint8_t *disk, const char *where)
{
	for (uint32_t s = 0; s < shape.sectors; s++) {
		const struct cell *c = &cells[s];
		const uint8_t *buf = disk + (size_t)s * SECTOR;
		uint32_t v;
		unsigned i = 0;

		if (decode(s, buf, &v))
			while (i < c->n && c->value[i] != v)
				i++;
		else
			i = c->n;
		if (i == c->n) {
			explain(s, buf, where, c);
			return (false);
		}
	}
	return (true);
}

void
model_adopt(const uint8_t *disk)
{
	for (uint32_t s = 0; s < shape.sectors; s++) {
		struct cell *c = &cells[s];

		(void)decode(s, disk + (size_t)s * SECTOR, &c->value[0]);
		c->n = 1;
		c->busy = false;
	}
}

/* ---- evidence ---------------------------------------------------------------------------- */

int
model_save(const char *path)
{
	FILE *f = fopen(path, "we");
	bool good = f != NULL && fwrite(&shape, sizeof(shape), 1, f) == 1 &&
		    fwrite(cells, sizeof(*cells), shape.sectors, f) == shape.sectors;

	return (f != NULL && fclose(f) == 0 && good ? 0 : -EIO);
}

int
model_load(const char *path)
{
	FILE *f = fopen(path, "re");
	bool good = f != NULL && fread(&shape, sizeof(shape), 1, f) == 1 && model_open() == 0 &&
		    fread(cells, sizeof(*cells), shape.sectors, f) == shape.sectors;

	if (f != NULL)
		(void)fclose(f);
	return (good ? 0 : -EIO);
}
