/* SPDX-License-Identifier: ISC */
/*
 * journal.c -- the journal of a cache file of any bytes: what is visited lies within what was written,
 * and everything comes from one half, in order.
 *
 * The checksum of a batch is made right first where the input says so (an odd first byte): else
 * hardly any input would come past it.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "cachemgr/journal.h"
#include "tests/fuzz/fuzz.h"

#define HALF 8192u

struct seen {
	uint64_t sequence;
	bool reset;
};

static void
on_reset(void *ctx)
{
	struct seen *s = ctx;

	s->reset = true;
}

static void
on_settled(void *ctx, uint64_t sequence)
{
	(void)sequence;
	must(((const struct seen *)ctx)->reset);
}

static int
on_rec(void *ctx, const struct journal_rec *r, uint64_t sequence)
{
	struct seen *s = ctx;
	volatile uint8_t sum = 0;

	must(s->reset && sequence >= s->sequence);
	s->sequence = sequence;
	if (r->kind == JREC_DATA)
		for (uint32_t i = 0; i < r->count; i++)
			sum = (uint8_t)(sum + r->data[i]);
	return (0);
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* As journal.h says: over the whole batch, with the field zero. */
static void
mend(uint8_t *half)
{
	uint32_t bytes = half[24] | (uint32_t)half[25] << 8 | (uint32_t)half[26] << 16 |
			 (uint32_t)half[27] << 24;

	if (bytes < 64 || bytes > HALF)
		return;
	put_u32(half + 32, 0);
	put_u32(half + 32, crc32_of(0, half, bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t image[2 * HALF];
	struct seen seen = {0};
	struct journal_visit v = {
	    .ctx = &seen, .reset = on_reset, .settled = on_settled, .rec = on_rec};
	struct journal_pos pos;
	int fd;

	if (len < 1)
		return (0);
	memset(image, 0, sizeof(image));
	memcpy(image, data + 1, len - 1 < sizeof(image) ? len - 1 : sizeof(image));
	if (data[0] & 1) {
		mend(image);
		mend(image + HALF);
	}
	fd = memfd_create("journal", 0);
	must(fd >= 0 && write(fd, image, sizeof(image)) == (ssize_t)sizeof(image));
	if (journal_read(fd, 0, HALF, &pos, &v) == 0)
		must(pos.half < 2 && pos.end <= HALF && seen.reset);
	(void)close(fd);
	return (0);
}
