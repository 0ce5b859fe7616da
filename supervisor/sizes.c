/* SPDX-License-Identifier: ISC */
#include "supervisor/sizes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/blockmath.h"

#include "supervisor/guard.h"

#define KIB	  UINT64_C(1024)
#define MIB	  (KIB * KIB)
#define GIB	  (KIB * MIB)
#define TIB	  (KIB * GIB)
#define BLOCK_MIN 512u
#define BLOCK_MAX (1u << 30)

uint32_t
sizes_new_block(uint64_t size)
{
	/*
	 * A request costs its latency and its price however small it is, so blocks are large; a
	 * changed byte uploads a whole one, so not larger than helps.  At 100 ms and 128 requests in
	 * flight 1 MiB fills ten gigabits.  Small disks get enough blocks to work with at all; very
	 * large ones stay below a hundred million objects.
	 */
	uint64_t block = size <= 64 * MIB   ? 64 * KIB
			 : size <= GIB	    ? 256 * KIB
			 : size <= 64 * TIB ? MIB
					    : 4 * MIB;

	while (size % block != 0 && block > BLOCK_MIN)
		block /= 2;
	return ((uint32_t)block);
}

static const char *
text_of(uint64_t bytes, char buf[32])
{
	static const char letters[] = "kmgtpe";
	unsigned i = 0;

	while (i < 6 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	if (i == 0)
		(void)snprintf(buf, 32, "%llu", (unsigned long long)bytes);
	else
		(void)snprintf(buf, 32, "%llu%c", (unsigned long long)bytes, letters[i - 1]);
	return (buf);
}

static int
differs(const char *key, uint64_t conf, uint64_t found, char *error, size_t len)
{
	char a[32], b[32];

	(void)snprintf(error, len,
	    "%s = %s, but the bucket holds a disk with %s = %s (leave %s out; only force = yes "
	    "overrides what is recorded)",
	    key, text_of(conf, a), key, text_of(found, b), key);
	return (-EINVAL);
}

static int
check(uint64_t size, uint64_t block, bool encrypt, char *error, size_t len)
{
	char a[32], b[32], c[32];

	if (!is_pow2(block) || block < BLOCK_MIN || block > BLOCK_MAX)
		(void)snprintf(error, len, "blockSize = %s: must be a power of two from 512 to 1g",
		    text_of(block, a));
	else if (size % block != 0)
		(void)snprintf(error, len, "size = %s is not a multiple of blockSize = %s",
		    text_of(size, a), text_of(block, b));
	else if (size / block > UINT32_MAX)
		(void)snprintf(error, len,
		    "size = %s needs more than 2^32 - 1 blocks of %s: set blockSize = %s or larger",
		    text_of(size, a), text_of(block, b), text_of(least_block(size), c));
	else if (encrypt && block % 16 != 0)
		(void)snprintf(error, len, "blockSize = %s cannot be encrypted", text_of(block, a));
	else
		return (0);
	return (-EINVAL);
}

/* S3. */
static int
choose_block(const struct sizes_in *in, struct sizes_out *o, char *error, size_t len)
{
	char a[32], b[32];

	if (in->bucket != BUCKET_EMPTY) {
		(void)snprintf(error, len,
		    "%s; set blockSize (4k is what the old program takes "
		    "without one; 1m is good for a new disk)",
		    in->bucket == BUCKET_USED
			? "the bucket holds blocks, but none that says how large they are"
			: "the bucket does not say how large its blocks are");
		return (-EINVAL);
	}
	o->block = sizes_new_block(in->conf_size);
	(void)snprintf(o->note, sizeof(o->note),
	    "new disk of %s in an empty bucket: blockSize = %s chosen by its size",
	    text_of(in->conf_size, a), text_of(o->block, b));
	return (0);
}

int
sizes_resolve(const struct sizes_in *in, struct sizes_out *ret_sizes, char *error, size_t len)
{
	struct sizes_out o = {0};
	uint64_t block;
	int r;

	if (in->found_size != 0 && !in->force) {
		if (in->conf_size != 0 && in->conf_size != in->found_size)
			return (differs("size", in->conf_size, in->found_size, error, len));
		if (in->conf_block != 0 && in->conf_block != in->found_block)
			return (differs("blockSize", in->conf_block, in->found_block, error, len));
	}
	o.size = in->conf_size != 0 ? in->conf_size : in->found_size;
	block = in->conf_block != 0 ? in->conf_block : in->found_block;
	if (o.size == 0) {
		(void)snprintf(error, len,
		    "size: the bucket does not say how large the disk is; set size (e.g. size = "
		    "100g)");
		return (-EINVAL);
	}
	if (block > UINT32_MAX)
		return (check(o.size, block, in->encrypt, error, len));
	o.block = (uint32_t)block;
	if (block == 0 && (r = choose_block(in, &o, error, len)) < 0)
		return (r);
	if ((r = check(o.size, o.block, in->encrypt, error, len)) < 0)
		return (r);
	if (in->found_size != 0 && (o.size != in->found_size || o.block != in->found_block))
		(void)snprintf(o.note, sizeof(o.note),
		    "force: the sizes that the bucket records are "
		    "overridden");
	*ret_sizes = o;
	return (0);
}
