/* SPDX-License-Identifier: ISC */
/*
 * test_blockmath.c -- arithmetic on blocks: the edges, and random ranges against a slow model.
 */
#include <bsd/stdlib.h>

#include "common/blockmath.h"
#include "common/timeutil.h"
#include "tests/unit/tap.h"

static void
test_powers(void)
{
	bool good = true;

	ok(!is_pow2(0) && is_pow2(1) && is_pow2(2) && !is_pow2(3), "small powers of two");
	ok(is_pow2(UINT64_C(1) << 63) && !is_pow2(UINT64_MAX), "large ones");
	for (unsigned shift = 1; shift < 64; shift++) {
		uint64_t p = UINT64_C(1) << shift;

		good = good && ilog2(p) == shift && ilog2(p - 1) == (shift == 1 ? 0 : shift - 1) &&
		       pow2_floor(p) == p && pow2_ceil(p) == p &&
		       pow2_ceil(p - 1) == (shift == 1 ? 1 : p) &&
		       (shift == 63 || pow2_floor(p + 1) == p);
	}
	ok(good, "logarithm, floor and ceiling at every power");
	is_int(pow2_ceil((UINT64_C(1) << 63) + 1), 0, "no power of two above 2^63");
	is_int(round_down(4097, 4096), 4096, "round_down");
	is_int(round_up(4097, 4096), 8192, "round_up");
	is_int(round_up(4096, 4096), 4096, "round_up of a multiple");
	is_int(round_up(0, 4096), 0, "round_up of nothing");
}

static void
test_division(void)
{
	uint64_t n = 7;

	is_int(blocks_for(0, 4096), 0, "nothing needs no block");
	is_int(blocks_for(1, 4096), 1, "a byte needs one");
	is_int(blocks_for(4096, 4096), 1, "a block needs one");
	is_int(blocks_for(4097, 4096), 2, "a byte more needs two");
	ok(blocks_for(UINT64_MAX, 4096) == UINT64_C(1) << 52, "no overflow at the end");
	ok(add_overflows(UINT64_MAX, 1, &n) && n == 7, "an overflowing sum is left alone");
	ok(!add_overflows(UINT64_MAX, 0, &n) && n == UINT64_MAX, "the largest sum");
	ok(mul_overflows(UINT64_C(1) << 32, UINT64_C(1) << 32, &n), "an overflowing product");
	ok(!mul_overflows(UINT64_C(1) << 32, 5, &n) && n == UINT64_C(5) << 32, "a product");
	ok(range_within(0, 10, 10) && range_within(10, 0, 10), "ranges that end at the end");
	ok(!range_within(1, 10, 10) && !range_within(11, 0, 10), "ranges that leave");
	ok(!range_within(5, UINT64_MAX, 10), "a range that wraps around");
	is_int(clamp_u64(5, 6, 9), 6, "clamp from below");
	is_int(clamp_u64(10, 6, 9), 9, "clamp from above");
}

/* Every byte of the range must be in exactly one span, in order. */
static bool
spans_agree(uint64_t off, uint64_t len, uint32_t block_size)
{
	uint64_t at = off, left = len, next = off, touched = 0, whole = 0, first, n;
	struct block_span span;

	while (span_next(&at, &left, block_size, &span)) {
		if (span.block * block_size + span.off != next || span.len == 0 ||
		    span.off + (uint64_t)span.len > block_size)
			return (false);
		next += span.len;
		touched++;
		whole += span_is_whole(&span, block_size);
		if (at != next)
			return (false);
	}
	n = range_blocks_whole(off, len, block_size, &first);
	return (next == off + len && touched == range_blocks_touched(off, len, block_size) &&
		n == whole &&
		(n == 0 || (first * block_size >= off && (first + n) * block_size <= off + len)));
}

static void
test_spans(void)
{
	bool good = true;

	ok(spans_agree(0, 0, 4096), "an empty range");
	ok(spans_agree(4096, 4096, 4096), "one block");
	ok(spans_agree(4095, 2, 4096), "two bytes of two blocks");
	ok(spans_agree((UINT64_C(1) << 62) - 5, 10, 1u << 31), "far out, in the largest blocks");
	for (int i = 0; i < 100000; i++) {
		uint32_t block_size = 512u << arc4random_uniform(8);

		good = good && spans_agree(arc4random_uniform(1 << 20), arc4random_uniform(1 << 18),
				   block_size);
	}
	ok(good, "100000 random ranges");
}

static void
test_zero(void)
{
	enum {
		SIZE = 4 << 20,
		ROUNDS = 50
	};
	unsigned char *mem = calloc(1, SIZE + 64);
	bool good = true, seen = true;
	uint64_t start, us;
	unsigned zeros = 0;

	/* A single bit anywhere, at every alignment and length, is seen; one outside is not. */
	for (size_t off = 0; off < 64; off += 7) {
		for (size_t len = 0; len < 200; len++) {
			good = good && mem_is_zero(mem + off + 1, len);
			for (size_t at = 0; at < len; at++) {
				mem[off + 1 + at] = 0x80;
				seen = seen && !mem_is_zero(mem + off + 1, len);
				mem[off + 1 + at] = 0;
			}
			mem[off] = mem[off + 1 + len] = 1;
			good = good && mem_is_zero(mem + off + 1, len);
			mem[off] = mem[off + 1 + len] = 0;
		}
	}
	ok(seen, "one bit at any place is seen");
	ok(good, "bytes beside the range are not");

	memset(mem, 1, SIZE + 64); /* pages of its own, not the kernel's one page of zeros */
	memset(mem, 0, SIZE + 64);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++)
		zeros += mem_is_zero(mem + (i & 7), SIZE);
	us = now_us() - start + 1;
	is_int(zeros, ROUNDS, "4 MiB of zeros are zeros");
	printf("# %.1f GB/s\n", (double)SIZE * ROUNDS / (double)us / 1000);
	free(mem);
}

int
main(void)
{
	test_powers();
	test_division();
	test_spans();
	test_zero();
	return (tap_done());
}
