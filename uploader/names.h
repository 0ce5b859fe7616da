/* SPDX-License-Identifier: ISC */
/*
 * names.h -- what the objects of a disk are called, and which object a name stands for.
 *
 * Process:  uploader.  Threads: any; pure functions.
 * Follows:  BUCKET-FORMAT.md section 1: PREFIX + [hash8 "-"] + block8, lower case.
 * Errors:   -ENAMETOOLONG; a name that is none of ours parses as false, never as a block.
 */
#ifndef S3B_UPLOADER_NAMES_H
#define S3B_UPLOADER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_PREFIX_MAX 1023
#define NAME_SIZE	(NAME_PREFIX_MAX + 18) /* prefix, hash, '-', block, NUL */
#define NAME_ENCODED	(3 * NAME_SIZE)	       /* every byte as %XX */
#define NAME_TOKEN	"s3backer-mounted"
#define NAME_KEY	"s3backer-key" /* s3backer-gcm(5) */

struct names {
	const char *prefix;	/* borrowed */
	size_t	    prefix_len;
	bool	    hashed;	/* blockHashPrefix */
	uint64_t    nblocks;	/* 0: not known yet, every number is ours */
};

/* H(block) of section 1.1: spreads neighbours over the key space of the store. */
uint32_t name_hash(uint32_t block);

int	name_of_block(const struct names *, uint32_t block, char buf[NAME_SIZE]);
int	name_of_token(const struct names *, char buf[NAME_SIZE]);
int	name_of_key(const struct names *, char buf[NAME_SIZE]);
bool	name_parse(const struct names *, const char *key, size_t len, uint32_t *ret_block);

/* Percent-encoding as SigV4 wants it: unreserved characters stay, and '/' if keep_slash. */
size_t	name_encode(const char *raw, bool keep_slash, char *buf, size_t size);

#endif
