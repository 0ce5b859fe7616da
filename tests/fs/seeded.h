/* SPDX-License-Identifier: ISC */
/*
 * seeded.h -- numbers that a seed decides, and a hash to compare contents by; the same on all machines.
 */
#ifndef S3B_TESTS_FS_SEEDED_H
#define S3B_TESTS_FS_SEEDED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* splitmix64 */
static inline uint64_t
seeded_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31));
}

static inline uint64_t
seeded_next(uint64_t *state)
{
	return (seeded_mix(*state += 0x9e3779b97f4a7c15u));
}

static inline uint64_t
seeded_below(uint64_t *state, uint64_t n)
{
	return (n == 0 ? 0 : seeded_next(state) % n);
}

#define SEEDED_HASH UINT64_C(0xcbf29ce484222325) /* where a hash begins */

/* Nobody chooses the contents to deceive it, so it need be no more than good and fast. */
static inline uint64_t
seeded_hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = seeded_mix(h ^ word) + 0x9e3779b97f4a7c15u;
	}
	for (; len > 0; len--, p++)
		h = seeded_mix(h ^ *p ^ 0x100) + 0x9e3779b97f4a7c15u;
	return (h);
}

#endif
