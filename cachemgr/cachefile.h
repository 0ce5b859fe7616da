/* SPDX-License-Identifier: ISC */
/*
 * cachefile.h -- the cache file: its superblock, whose it is, its size on the disk.
 *
 * Process:  cachemgr, before threads start.
 * Errors:   0 or -errno, and one line for the user in `why`.
 *
 * Superblock, one 512-byte sector so that it is written whole or not at all; little-endian:
 *	  0  8  magic "S3BCACHE"
 *	  8  4  version 1
 *	 12  4  block size, bytes
 *	 16  8  blocks of the disk
 *	 24  4  slots
 *	 28  4  mount token of the disk while it was last in use, 0 = none
 *	 32  4  state: 0 in use; 1 clean: nothing in the file is needed; 2 ended well, with dirty blocks;
 *		3 void: nothing in the file counts
 *	 36 12  boot id of the machine, its first 12 bytes
 *	 48 16  identity of the file, random
 *	 64 32  SHA-256 of the disk's name (bucket and prefix, or directory)
 *	 96 ..  the name as text, NUL-terminated, cut at 400 bytes: for messages
 *	496  8  sequence of the last batch of the journal, 0 = not known; after an ordered end only
 *	504  4  and its CRC-32 field
 *	508  4  CRC-32 of bytes 0..507
 */
#ifndef S3B_CACHEMGR_CACHEFILE_H
#define S3B_CACHEMGR_CACHEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf;
struct shm;

enum cachefile_state {
	CACHEFILE_IN_USE,
	CACHEFILE_CLEAN,
	CACHEFILE_ENDED,
	CACHEFILE_VOID /* could not be written; nothing in it counts */
};

struct cachefile {
	int fd;		/* owned */
	int direct_fd;	/* durable_open_direct() of it, owned; -1: there is none */
	bool memory;	/* a memfd */
	bool fresh;	/* just made, or cleared: no journal to read */
	bool unclean;	/* not all was uploaded when it ended: requests may still be under way */
	uint32_t token; /* as found in the superblock */
	bool synced; /* nothing that was written to it can have been lost: it was ended well */
	uint8_t identity[16];
	/* The last batch of the journal: as found, after an ordered end; and for cachefile_mark(). */
	uint64_t last_sequence;
	uint32_t last_crc;
};

/*
 * Opens, or makes, the cache file of the configuration (a memfd without one), locks it, checks that
 * it is this disk's, and allocates its blocks.  The lock lives with the open file, so with every
 * descriptor handed on.
 */
int cachefile_open(
    const struct conf *, const struct shm *, struct cachefile *ret, char *why, size_t why_len);
int cachefile_adopt(int fd, const struct conf *, const struct shm *, struct cachefile *ret,
    char *why, size_t why_len);
/* Rewrites the superblock and makes it durable. */
int cachefile_mark(const struct cachefile *, const struct conf *, const struct shm *,
    uint32_t token, enum cachefile_state);

#endif
