/* SPDX-License-Identifier: ISC */
/*
 * cachelayout.h -- where things lie in the cache file.
 *
 * s3backerd needs the offset of slot 0 before anyone has opened the file, because it is part of the
 * segment's geometry; cachemgr owns everything else about the file (cachemgr/cachefile.h).
 * All integers in the file are little-endian.
 *
 *	0		superblock, 4 KiB
 *	4096		journal half 0, then half 1: cache_journal_bytes() each
 *	...		side table: 64 bytes per slot, what is known of a clean slot
 *	data_off	slot 0; a multiple of 1 MiB
 */
#ifndef S3B_COMMON_CACHELAYOUT_H
#define S3B_COMMON_CACHELAYOUT_H

#include <stdint.h>

#define CACHE_SUPER_BYTES 4096u
#define CACHE_SIDE_BYTES  64u

/*
 * Bytes of one journal half.  It must hold a snapshot in which every slot is dirty (64 bytes each)
 * and leave as much again, so that snapshots stay rare; the rest is for small writes that travel in
 * the journal and for trims.
 */
static inline uint64_t
cache_journal_bytes(uint32_t nslots)
{
	return (((uint64_t)nslots * 128 + (8u << 20) + 4095) & ~UINT64_C(4095));
}

static inline uint64_t
cache_side_off(uint32_t nslots)
{
	return (CACHE_SUPER_BYTES + 2 * cache_journal_bytes(nslots));
}

static inline uint64_t
cache_data_off(uint32_t nslots)
{
	uint64_t end = cache_side_off(nslots) + (uint64_t)nslots * CACHE_SIDE_BYTES;

	return ((end + (1u << 20) - 1) & ~(uint64_t)((1u << 20) - 1));
}

#endif
