/* SPDX-License-Identifier: ISC */
/*
 * warm.h -- clean blocks that outlive a restart: the side table, and what of it may be believed.
 *
 * Process:  cachemgr.  Threads: main.  Owns: its tables.  Errors: none that matter; what cannot be
 * read is not cached.
 *
 * The side table has an entry for every slot (offset in common/cachelayout.h), little-endian, 64 bytes:
 *	 0  4  block
 *	 4  4  CRC-32 of the block's bytes, what is not valid taken as zero
 *	 8 16  ETag of the object these bytes are equal to, its first 16 bytes
 *	24 32  valid map
 *	56  1  1: entry in use
 *	57  1  SLOT_F_ZBASE, or 0
 *	58  2  zero
 *	60  4  CRC-32 of bytes 0..59, seeded with the slot number
 *
 * It is written when a slot becomes equal to its object, and struck out when the slot is no longer the
 * block's; neither waits for the disk.  So after a power loss an entry may be older than the
 * truth, and the rules for believing it are
 *  W1 the entry's own checksum is right, else there is none;
 *  W2 the bucket still holds that ETag: the listing, or a page of it (page.c), says so, or the token proves that nobody else had
 *     the disk since (a takeover by the same cache file);
 *  W3 on first use the bytes of the slot have the checksum (rule D3), else they are not cached.
 * Until W2 holds for a block, a request for it is an ordinary miss.
 */
#ifndef S3B_CACHEMGR_WARM_H
#define S3B_CACHEMGR_WARM_H

#include <stdbool.h>
#include <stdint.h>

struct cachemgr;
struct ipc_msg;

/* Reads the side table; `trusted`: W2 holds for all.  Before slots_open(). */
int warm_open(struct cachemgr *, bool trusted);
/* The block's slot is equal to the object `done` (of a PUT or GET) speaks of. */
void warm_note(struct cachemgr *, uint32_t slot, const struct ipc_msg *done);
/* A cached block: are the bytes of `slot` what was noted of them?  True where nothing was. */
bool warm_bytes_hold(struct cachemgr *, uint32_t slot);
void warm_strike(struct cachemgr *, uint32_t slot);
/* The listing says that the object of `block` has this ETag. */
void warm_listed(struct cachemgr *, uint32_t block, const uint8_t etag[16]);
/* Links the block's slot if W1 to W3 hold; true: it is cached now. */
bool warm_take(struct cachemgr *, uint32_t block);
/* The block is written or trimmed: what was kept of it is of no use. */
void warm_drop(struct cachemgr *, uint32_t block);
void warm_trim(struct cachemgr *, uint64_t from, uint64_t to); /* the same for a range */
/* Gives up one kept slot, for somebody who needs it now; IPC_NO_SLOT: none is left. */
uint32_t warm_evict(struct cachemgr *);
/* The listing of from..to-1 is over: what it did not confirm is given up. */
void warm_drop_unsure(struct cachemgr *, uint64_t from, uint64_t to);
bool warm_unsure(struct cachemgr *, uint32_t block); /* kept, and W2 is not known to hold */
bool warm_holds(struct cachemgr *, uint32_t slot); /* check.c */

#endif
