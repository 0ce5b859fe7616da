/* SPDX-License-Identifier: ISC */
/*
 * journal.h -- the durable record of what is dirty: an append-only journal in two halves.
 *
 * Process:  cachemgr.  Threads: encoding and decoding are pure; no I/O but journal_read().
 * Errors:   0 or -errno.
 *
 * Everything is little-endian.  A half is a sequence of batches, each a whole number of 512-byte
 * sectors.  A batch is valid iff its CRC-32 (over the whole batch with the field zero) is right, its
 * generation is the half's, its sequence follows the batch before, and it names that batch by its
 * CRC.  The first batch of a half is a snapshot: what is dirty, complete.  The half with the higher
 * generation and a valid snapshot is the one in force; what lies behind its last valid batch is not
 * there.
 *
 * The name of the batch before is there for this: a power cut may lose a batch and keep the next one.
 * Recovery stops before the lost one and another takes its place; if that had the same length, the
 * one behind it, of a time that never was, would be believed.  The writer makes two batches that
 * happen to say the same different.
 *
 * Each batch is durable before the next is begun.  So a batch that is not valid, with a valid one of the
 * same generation behind it, is not what a power cut leaves: it was damaged, and with it flushed data may
 * be lost, or freed slots be taken for dirty ones.  Then nothing of the journal is believed.  Of a last
 * batch that cannot be told, save where the superblock names it: after an end that was ordered.
 *
 * Batch header, 64 bytes:
 *	 0  8  magic "S3BJRNL3"; "S3BJRNL2" is read, too: there all DATA is settled but its own
 *	 8  8  generation	grows by one with every change of half
 *	16  8  sequence		grows by one with every batch, over halves
 *	24  4  bytes, whole batch, header and padding included
 *	28  4  number of records
 *	32  4  CRC-32
 *	36  4  flags		1: snapshot
 *	40  4  CRC-32 field of the batch before; snapshot: 0
 *	44  4  zero
 *	48  8  writer		random number of the program run that wrote it
 *	56  8  settled		DATA of batches up to this sequence is in the slots; "S3BJRNL2": zero
 * Records follow, 64 bytes each; the payload of DATA records follows the last record, in order.
 *
 * Record:
 *	 0  1  kind		1 SLOT, 2 FREE, 3 ZERO, 4 DATA
 *	 1  1  flags		SLOT: SLOT_F_ZBASE; ZERO: 1 pending, 0 no more
 *	 2  2  zero
 *	 4  4  slot		SLOT, FREE, DATA
 *	 8  4  block		SLOT; ZERO: first block
 *	12  4  count		ZERO: blocks; DATA: bytes of payload
 *	16  4  offset		DATA: within the slot
 *	20 12  zero
 *	32 32  valid map	SLOT
 *
 * SLOT: this slot holds dirty bytes of this block, in these sub-blocks.  FREE: it does so no more.
 * DATA repeats bytes of a slot that were written since the batch before, so that a flush costs one write of
 * the journal and no fdatasync of the slots.  It counts until it is settled: until a batch says that an
 * fdatasync has made the slots' own bytes durable, those of the DATA or newer ones.  Recovery puts what
 * counts into the slots, in order; of a slot that a FREE gave up since, nothing counts.
 */
#ifndef S3B_CACHEMGR_JOURNAL_H
#define S3B_CACHEMGR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/shm.h"

#define JOURNAL_SECTOR 512u
#define JOURNAL_REC    64u

enum journal_kind {
	JREC_SLOT = 1,
	JREC_FREE,
	JREC_ZERO,
	JREC_DATA
};

struct journal_rec {
	uint8_t kind, flags;
	uint32_t slot, block, count, offset;
	uint64_t valid[IPC_SUB_MAX / 64];
	const uint8_t *data; /* DATA, decoding: borrowed from the batch */
};

/* A batch being built; grows as needed. */
struct journal_batch {
	uint8_t *buf;
	size_t len, cap;
	uint8_t *data; /* payload of DATA records, appended by journal_seal() */
	size_t data_len, data_cap;
	uint32_t nrec;
	bool snapshot;
	bool failed; /* out of memory on the way: journal_seal() says so */
};

void journal_begin(struct journal_batch *, bool snapshot);
void journal_add(struct journal_batch *, const struct journal_rec *);
/* Room for `len` bytes of payload; the caller fills it.  NULL: out of memory. */
uint8_t *journal_add_data(struct journal_batch *, uint32_t slot, uint32_t offset, uint32_t len);
struct journal_pos;
/*
 * As the next batch behind `pos`, or as the first of the next generation; *ret_crc names it.  `settled`: see
 * above.  Its length becomes a multiple of `align` (a power of two, a
 * sector at least); buf is aligned for O_DIRECT.
 */
int journal_seal(struct journal_batch *, const struct journal_pos *, uint64_t settled, uint32_t align,
    uint32_t *ret_crc);
void journal_batch_free(struct journal_batch *);

/* Where the journal stands. */
struct journal_pos {
	uint64_t generation, sequence; /* of the last valid batch */
	uint32_t crc;		       /* its name */
	uint64_t writer;	       /* of those to come; journal_read() chooses it */
	unsigned half;
	uint64_t end; /* bytes of the half in use */
	uint64_t settled;	/* as the last batch says */
	uint64_t data_sequence; /* of the last batch with DATA; it counts if it is more than `settled` */
};

struct journal_visit { /* called in the order in which things were recorded */
	uint64_t last_sequence; /* a batch that must be there; 0: not known */
	uint32_t last_crc;
	bool damage_is_end; /* the user will have what lies before the damage */
	void *ctx;
	void (*reset)(void *ctx); /* a snapshot begins */
	void (*settled)(void *ctx, uint64_t sequence); /* DATA up to it is in the slots */
	int (*rec)(void *ctx, const struct journal_rec *, uint64_t sequence);
};

/*
 * Read the half in force and visit its records.  -ENOENT: neither half has a valid snapshot.  -EUCLEAN: it is
 * damaged, and nothing that was visited may be believed.
 */
int journal_read(int fd, uint64_t off0, uint64_t half_bytes, struct journal_pos *ret_pos,
    const struct journal_visit *);

uint32_t crc32_of(uint32_t seed, const void *, size_t);

#endif
