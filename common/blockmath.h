/* SPDX-License-Identifier: ISC */
/*
 * blockmath.h -- arithmetic on bytes, blocks and powers of two.
 *
 * Process:  all.  Threads: any; pure functions.
 * Units:    bytes unless the name says blocks.  Offsets and lengths are 64 bits, the place
 *           within a block 32.
 * Errors:   none; the *_overflows functions say true and leave their result alone.
 */
#ifndef S3B_COMMON_BLOCKMATH_H
#define S3B_COMMON_BLOCKMATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/check.h"

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return (a > b ? a : b);
}

static inline uint64_t
clamp_u64(uint64_t x, uint64_t lo, uint64_t hi)
{
	return (x < lo ? lo : x > hi ? hi : x);
}

static inline bool
is_pow2(uint64_t x)
{
	return (x != 0 && (x & (x - 1)) == 0);
}

/* floor(log2(x)); x > 0. */
static inline unsigned
ilog2(uint64_t x)
{
	return (63u - (unsigned)__builtin_clzll(x));
}

/* The largest power of two <= x, and the smallest >= x (0 if that does not fit); x > 0. */
static inline uint64_t
pow2_floor(uint64_t x)
{
	return (UINT64_C(1) << ilog2(x));
}

static inline uint64_t
pow2_ceil(uint64_t x)
{
	return (is_pow2(x) ? x : x > (UINT64_C(1) << 63) ? 0 : pow2_floor(x) << 1);
}

/* To a multiple of `to`, a power of two.  Rounding up past 2^64 is the caller's bug. */
static inline uint64_t
round_down(uint64_t x, uint64_t to)
{
	return (x & ~(to - 1));
}

static inline uint64_t
round_up(uint64_t x, uint64_t to)
{
	return ((x + (to - 1)) & ~(to - 1));
}

/* Any divisor; without the overflow of (x + n - 1) / n. */
static inline uint64_t
div_up(uint64_t x, uint64_t n)
{
	return (x / n + (x % n != 0));
}

/* Blocks that `bytes` need. */
static inline uint64_t
blocks_for(uint64_t bytes, uint64_t block_size)
{
	return (div_up(bytes, block_size));
}

static inline bool
add_overflows(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return (true);
	*ret_sum = sum;
	return (false);
}

static inline bool
mul_overflows(uint64_t a, uint64_t b, uint64_t *ret_product)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return (true);
	*ret_product = product;
	return (false);
}

/* Is [off, off + len) inside [0, size), without overflowing on hostile numbers? */
static inline bool
range_within(uint64_t off, uint64_t len, uint64_t size)
{
	return (off <= size && len <= size - off);
}

/* The part of a byte range that lies in one block. */
struct block_span {
	uint64_t	block;
	uint32_t	off, len;	/* within the block */
};

static inline bool
span_is_whole(const struct block_span *span, uint32_t block_size)
{
	return (span->off == 0 && span->len == block_size);
}

/*
 * Takes the first block's part off the range; false when the range is empty.
 *	while (span_next(&off, &len, block_size, &span)) ...
 * off + len must not overflow: see range_within().
 */
static inline bool
span_next(uint64_t *off, uint64_t *len, uint32_t block_size, struct block_span *ret_span)
{
	uint32_t in = (uint32_t)(*off & (block_size - 1));
	uint64_t take = min_u64(*len, block_size - in);

	if (take == 0)
		return (false);
	*ret_span = (struct block_span){*off >> ilog2(block_size), in, (uint32_t)take};
	*off += take;
	*len -= take;
	return (true);
}

/* Blocks touched by the range, and blocks wholly covered by it. */
static inline uint64_t
range_blocks_touched(uint64_t off, uint64_t len, uint32_t block_size)
{
	unsigned shift = ilog2(block_size);

	return (len == 0 ? 0 : ((off + len - 1) >> shift) - (off >> shift) + 1);
}

static inline uint64_t
range_blocks_whole(uint64_t off, uint64_t len, uint32_t block_size, uint64_t *ret_first)
{
	unsigned shift = ilog2(block_size);
	uint64_t first = (off >> shift) + ((off & (block_size - 1)) != 0);
	uint64_t end = (off + len) >> shift;

	*ret_first = first;
	return (end > first ? end - first : 0);
}

/*
 * Only zeros?  Leaves at the first 64 bytes that are not, so data costs next to nothing and a
 * zero block costs one pass at memory speed.  memcpy because `p` may be unaligned.
 */
static inline bool
mem_is_zero(const void *mem, size_t len)
{
	const unsigned char *p = mem;
	uint64_t w[8], tail = 0;

	BUILD_ASSERT(sizeof(w) == 64);
	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(w, p, sizeof(w));
		if (((w[0] | w[1]) | (w[2] | w[3]) | (w[4] | w[5]) | (w[6] | w[7])) != 0)
			return (false);
	}
	for (; len > 0; p++, len--)
		tail |= *p;
	return (tail == 0);
}

/* The least block size, a power of two, with which a disk has no more than 2^32 - 1 blocks. */
static inline uint64_t
least_block(uint64_t size)
{
	uint64_t block = 512;

	while (size / block > UINT32_MAX)
		block *= 2;
	return (block);
}

#endif
