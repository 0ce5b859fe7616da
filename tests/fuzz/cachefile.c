/* SPDX-License-Identifier: ISC */
/*
 * cachefile.c -- a whole cache file of any bytes: refused, or recovered from without a panic, and every
 * block can be read or fails.
 *
 * The input is a list of patches over a file that was used (tests/hostile/cache_image.h): where, how many
 * bytes, and the bytes.  Its first byte chooses the file, and whether checksums are made right afterwards:
 * those of the superblock, of each batch of the journal, which then also names its predecessor, and of
 * the side table.
 */
#define HIST 64
#include "tests/fuzz/fuzz.h"
#include "tests/hostile/cache_image.h"

const unsigned fuzz_mutations = 15;

enum {
	AT_SUPER,
	AT_HALF,
	AT_OTHER_HALF,
	AT_SIDE,
	AT_DATA,
	AT_END,
	AT_LAST
};

static struct image files[IMAGE_ENDS];

static uint32_t
get32(const uint8_t *p)
{
	return (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void
mend_super(void)
{
	uint8_t s[512];

	if (pread(image_fd, s, sizeof(s), 0) != sizeof(s))
		return;
	put32(s + 508, crc32_of(0, s, 508));
	(void)!pwrite(image_fd, s, sizeof(s), 0);
}

static void
mend_half(uint64_t at)
{
	static uint8_t b[65536];
	uint64_t end = at + cache_journal_bytes(SLOTS);
	uint32_t before = 0, bytes;

	for (unsigned n = 0; n < 200 && at + 512 <= end; n++, at += bytes) {
		if (pread(image_fd, b, sizeof(b), (off_t)at) < 512 || memcmp(b, "S3BJRNL", 7) != 0)
			return;
		bytes = get32(b + 24);
		if (bytes < 512 || bytes % 512 != 0 || bytes > sizeof(b))
			return;
		if ((get32(b + 36) & 1) == 0)
			put32(b + 40, before);
		put32(b + 32, 0);
		before = crc32_of(0, b, bytes);
		put32(b + 32, before);
		(void)!pwrite(image_fd, b, 512, (off_t)at);
	}
}

static void
mend_side(void)
{
	uint8_t e[64];

	for (uint32_t s = 0; s < SLOTS; s++) {
		off_t at = (off_t)(cache_side_off(SLOTS) + s * 64);

		if (pread(image_fd, e, sizeof(e), at) != sizeof(e))
			return;
		put32(e + 60, crc32_of(s, e, 60));
		(void)!pwrite(image_fd, e, sizeof(e), at);
	}
}

/* Where, two bytes of offset, length, bytes. */
static void
patch(const uint8_t *p, size_t len)
{
	uint64_t half = cache_journal_bytes(SLOTS);
	const uint64_t from[] = {0, CACHE_SUPER_BYTES, CACHE_SUPER_BYTES + half,
	    cache_side_off(SLOTS), cache_data_off(SLOTS)};

	while (len >= 4) {
		uint64_t at = p[1] | (uint64_t)p[2] << 8;
		size_t n = p[3] < len - 4 ? p[3] : len - 4;
		unsigned where = p[0] % AT_LAST;

		if (where == AT_END)
			(void)!ftruncate(image_fd, (off_t)(at << 9));
		else
			(void)!pwrite(image_fd, p + 4, n,
			    (off_t)(from[where] + (where == AT_SUPER ? at % 512 : at)));
		p += 4 + n;
		len -= 4 + n;
	}
}

static void
use_it(void)
{
	static uint8_t bytes[SUB];

	for (uint32_t b = 0; b < BLOCKS; b += 3)
		(void)image_read(b, b % NSUB, bytes);
	(void)image_upload();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (files[0].size == 0)
		for (unsigned e = 0; e < IMAGE_ENDS; e++) {
			image_use(3 + e, (enum image_end)e);
			files[e] = base;
			base = (struct image){0};
		}
	if (len < 1)
		return (0);
	sim_silent = true;
	image_put(&files[data[0] / 2 % IMAGE_ENDS]);
	patch(data + 1, len - 1);
	if ((data[0] & 1) != 0) {
		mend_super();
		mend_half(CACHE_SUPER_BYTES);
		mend_half(CACHE_SUPER_BYTES + cache_journal_bytes(SLOTS));
		mend_side();
	}
	if (image_open() == 0) {
		ledger_catches = true;
		if (setjmp(ledger_fail) == 0)
			use_it();
		ledger_catches = false;
	}
	image_close();
	return (0);
}
