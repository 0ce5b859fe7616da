/* SPDX-License-Identifier: ISC */
/*
 * sizes.h -- size and block size of the disk: what the configuration says, what the bucket says.
 *
 * Pure: no process, no store; a test feeds it.  Units: bytes.
 *
 *  S1 What block 0 records counts.  A configuration that says otherwise is refused, because most
 *     of the time it is a mistake; with `force` the configuration counts.
 *  S2 Nothing recorded (block 0 was never written, or is all zeros): `size` is required.
 *  S3 Nothing recorded and no blockSize given: if the bucket is known to hold no block, the disk
 *     is new and its block size is chosen here.  If it holds blocks, or nobody can tell, guessing
 *     could read another program's disk as zeros: 4 KiB is then assumed only when told so.
 */
#ifndef S3B_SUPERVISOR_SIZES_H
#define S3B_SUPERVISOR_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sizes_bucket { BUCKET_UNKNOWN, BUCKET_EMPTY, BUCKET_USED };

struct sizes_in {
	uint64_t	  conf_size, conf_block;	/* 0: not given */
	uint64_t	  found_size, found_block;	/* 0: the bucket does not say */
	enum sizes_bucket bucket;
	bool		  force, encrypt;
};

struct sizes_out {
	uint64_t size;
	uint32_t block;
	char	 note[256];	/* what was chosen and why; empty: nothing was */
};

/* 0, or -EINVAL and one line in `error`. */
int	sizes_resolve(const struct sizes_in *, struct sizes_out *ret_sizes, char *error, size_t len);

/* Block size of a new disk: divides its size, power of two. */
uint32_t sizes_new_block(uint64_t size);

#endif
