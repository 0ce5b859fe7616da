/* SPDX-License-Identifier: ISC */
/*
 * slot_table.h -- which slot of the cache holds which block: read by the frontend without a lock,
 * changed by cachemgr alone; the hazard lines that make that safe; the known-zero map.
 *
 * Process:  frontend (lookup, hazards, wseq, touch, map), cachemgr (everything else).
 * Threads:  frontend: any, each with a hazard line of its own.  cachemgr: main thread.
 *
 * The protocol (hazard pointers: M. Michael 2004, IEEE TPDS 15/6; seqlock for the chains):
 *
 *  H1 The frontend finds a slot, stores its number in its own hazard line, then reads `head` again.
 *     Only if block, generation and state still fit may it touch the bytes; then it clears the entry.
 *  H2 cachemgr changes `head` first and scans the hazard lines afterwards.  Both sides are
 *     sequentially consistent, so either the frontend sees the new head or cachemgr sees the hazard.
 *  H3 A slot is given to another block only when no line names it.
 *  H4 A slot is frozen when its head says FROZEN and no line names it for writing; from then on
 *     its bytes, valid map and wseq do not change until cachemgr thaws it.
 *  H5 A frontend that clears a hazard on a slot whose head carries SLOT_F_WANT rings cachemgr.
 *  H6 The writer adds to wseq before it changes a byte and sets valid bits after the last one:
 *     a death in between leaves "dirty", never "clean with new bytes", and never "valid" too early.
 *  H7 `next` of a slot is changed only after table_gen has grown; a reader that found nothing and
 *     sees another table_gen than before its walk knows nothing and asks again.
 *  H8 What is valid only grows while a slot is linked or named; in one that is neither cachemgr
 *     may begin again with nothing.
 *  H9 The head says where that is written: SLOT_F_WHOLE, all is valid, and nobody looks at the map; else
 *     SLOT_F_MAP, what the map says; else nothing is.  cachemgr clears the map before it sets MAP, sets
 *     one of the two before a slot becomes LIVE, and takes neither away before H8 allows it.
 *
 * WHOLE is cachemgr's to set: in one store after a download, or when it finds all bits set.  The writer that
 * sets the last of them need not know, and until cachemgr has looked, which may be never, the map says the
 * same.  A writer that was told WHOLE is told so for as long as it names the slot, so it leaves the map alone.
 * Flags and state are one store: whoever dies between two leaves a map that says less than is there (H6), or
 * one that nobody looks at.  Memory is what was touched, and the map of a slot that came whole never is.
 */
#ifndef S3B_IPC_SLOT_TABLE_H
#define S3B_IPC_SLOT_TABLE_H

#include <stdbool.h>

#include "ipc/shm.h"

/* Values of the state byte in `head`.  Transient. */
enum slot_state {
	SLOT_FREE = 0,	  /* not linked, bytes mean nothing */
	SLOT_FILLING = 1, /* linked; a download writes it; valid parts may be read */
	SLOT_LIVE = 2,	  /* linked; valid parts may be read, anything written */
	SLOT_FROZEN = 3,  /* linked; may be read; bytes do not change */
	SLOT_OLD = 4	  /* not linked: being given up, or older than the block's linked slot */
};
enum {
	SLOT_F_WANT = 1 << 0,  /* cachemgr waits for hazards on it: ring when you clear one */
	SLOT_F_MARK = 1 << 1,  /* read-ahead mark: tell cachemgr when you hit it */
	SLOT_F_ZBASE = 1 << 2, /* what is not valid reads as zero */
	SLOT_F_GONE = 1 << 3,  /* given up or trimmed: its bytes are nobody's */
	SLOT_F_MAP = 1 << 4,   /* the valid map counts (H9) */
	SLOT_F_WHOLE = 1 << 5, /* all of it is valid (H9) */
};
/*
 * Bit of table_gen: a new cachemgr is relinking every slot.  "Not found" then says nothing.
 */
#define TABLE_REBUILDING 0x80000000u

/*
 * Two in a cache line, and none in two.  The neighbour's line moves when the frontend writes to this one (wseq)
 * or cachemgr freezes it; `touch` changes a few times a second at most.  Slots are handed out in order, so the
 * neighbour is mostly the next block of a stream, and in the hands of the same thread; and what moved the line
 * most, a bit of the map for each sub-block written, lies elsewhere.
 */
struct ipc_slot {	       /* transient */
	_Atomic uint64_t head; /* cachemgr: block:32 gen:16 flags:8 state:8 */
	_Atomic uint32_t wseq; /* frontend: grows with every write begun */
	_Atomic uint32_t cseq; /* cachemgr: wseq that the bucket holds; equal = clean */
	_Atomic uint32_t next; /* cachemgr: slot + 1 in the hash chain, 0 = end */
	uint32_t qnext, qprev; /* cachemgr: eviction queue */
	_Atomic uint8_t touch; /* frontend: times of use, modulo 256 */
	_Atomic uint8_t seen;  /* cachemgr: value of touch that eviction has used up */
	uint8_t queue;	       /* cachemgr: which eviction queue */
	_Atomic uint8_t when;  /* frontend: time of the last of them, in eighths of a second */
};
_Static_assert(sizeof(struct ipc_slot) == IPC_LINE / 2, "two in a line");
_Static_assert(IPC_SUB_MAX / 64 * sizeof(uint64_t) <= IPC_LINE, "a slot's map is in one line");

struct ipc_hazard { /* one line per frontend thread, written by that thread alone */
	_Atomic uint32_t slot[IPC_HAZ_PER_LINE]; /* (slot + 1) | HAZ_WRITE, 0 = empty */
};
_Static_assert(sizeof(struct ipc_hazard) == IPC_LINE, "one line");
#define HAZ_WRITE 0x80000000u

/* Two bits per block. */
enum zero_state {
	ZERO_UNKNOWN = 0, /* nobody has looked */
	ZERO_ABSENT = 1,  /* the bucket holds nothing: zero unless a slot says otherwise */
	ZERO_PRESENT = 2, /* the bucket may hold something */
	ZERO_PENDING = 3  /* zero, but its object has still to be deleted */
};

struct slot_table { /* private view */
	const struct shm *shm;
	struct ipc_slot *slot;
	/* frontend after its copy, cachemgr after a fill: fetch_or only, neither can undo the other */
	_Atomic uint64_t *map; /* map_words per slot */
	_Atomic uint32_t *bucket;
	_Atomic uint32_t *gen; /* table_gen, H7 */
	struct ipc_hazard *hazard;
	_Atomic uint64_t *zero;
	_Atomic uint64_t *surveyed; /* state->survey_next */
	uint32_t bucket_mask;
	uint32_t nsub, map_words;
};

void slot_table_attach(struct slot_table *, const struct shm *);

/* ---- head ------------------------------------------------------------------------------- */
static inline uint64_t
slot_head(uint32_t block, uint16_t gen, uint8_t flags, uint8_t state)
{
	return ((uint64_t)block << 32 | (uint64_t)gen << 16 | (uint64_t)flags << 8 | state);
}
static inline uint32_t
head_block(uint64_t h)
{
	return ((uint32_t)(h >> 32));
}
static inline uint16_t
head_gen(uint64_t h)
{
	return ((uint16_t)(h >> 16));
}
static inline uint8_t
head_flags(uint64_t h)
{
	return ((uint8_t)(h >> 8));
}
static inline uint8_t
head_state(uint64_t h)
{
	return ((uint8_t)h);
}
static inline bool
head_linked(uint64_t h)
{
	return (head_state(h) >= SLOT_FILLING && head_state(h) <= SLOT_FROZEN);
}

/* ---- lookup ----------------------------------------------------------------------------- */
static inline uint32_t
slot_table_hash(const struct slot_table *t, uint32_t block)
{
	return ((uint32_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & t->bucket_mask);
}
/*
 * The linked slot of a block, or IPC_NO_SLOT.  *ret_sure is false when the answer "none" may be
 * wrong because the table changed during the walk.  A slot found is a hint until H1 is done.
 */
uint32_t slot_table_find(const struct slot_table *, uint32_t block, bool *ret_sure);

/* ---- known-zero map --------------------------------------------------------------------- */
static inline enum zero_state
zero_get(const struct slot_table *t, uint64_t block)
{
	/* Acquire, and before the map: what the listing found below it is in the map already. */
	uint64_t surveyed = atomic_load_explicit(t->surveyed, memory_order_acquire);
	uint64_t w = atomic_load_explicit(&t->zero[block >> 5], memory_order_acquire);
	enum zero_state z = (enum zero_state)(w >> ((block & 31) * 2) & 3);

	/* A listed part of the disk need not be written to the map where there is nothing. */
	return (z == ZERO_UNKNOWN && block < surveyed ? ZERO_ABSENT : z);
}
/* cachemgr only. */
void zero_set(struct slot_table *, uint64_t block, enum zero_state);
static inline bool
zero_reads_zero(enum zero_state z)
{
	return (z == ZERO_ABSENT || z == ZERO_PENDING);
}

/* ---- valid map -------------------------------------------------------------------------- */
/* Sub-blocks first..last, inclusive. */
bool slot_valid_all(const struct slot_table *, uint32_t slot, uint32_t first, uint32_t last);
bool slot_valid_any(const struct slot_table *, uint32_t slot, uint32_t first, uint32_t last);
static inline bool
slot_valid_test(const struct slot_table *t, uint32_t slot, uint32_t sub)
{
	return (slot_valid_all(t, slot, sub, sub));
}
/* A bit for each sub-block, wherever it is written. */
void slot_valid_read(const struct slot_table *, uint32_t slot, uint64_t ret_map[IPC_SUB_MAX / 64]);
/* By a writer in a LIVE slot, or by cachemgr; MAP or WHOLE is set. */
void slot_valid_set(const struct slot_table *, uint32_t slot, uint32_t first, uint32_t last);
/* cachemgr only: before it sets MAP. */
void slot_valid_clear(const struct slot_table *, uint32_t slot);
static inline bool
slot_dirty(const struct ipc_slot *s)
{
	return (atomic_load(&s->wseq) != atomic_load(&s->cseq));
}

/* ---- hazards ---------------------------------------------------------------------------- */
/* H1.  Returns the head if `slot` may be used for `block` in one of the linked states, else 0. */
static inline uint64_t
hazard_take(const struct slot_table *t, struct ipc_hazard *line, unsigned i, uint32_t slot,
    uint32_t block, bool write)
{
	uint64_t h;

	atomic_store(&line->slot[i], (slot + 1) | (write ? HAZ_WRITE : 0));
	h = atomic_load(&t->slot[slot].head);
	if (head_block(h) == block && head_linked(h) && (!write || head_state(h) == SLOT_LIVE))
		return (h);
	atomic_store(&line->slot[i], 0);
	return (0);
}
/* Clears the entry; true: cachemgr waits for it and must be rung (H5). */
static inline bool
hazard_drop(const struct slot_table *t, struct ipc_hazard *line, unsigned i, uint32_t slot)
{
	atomic_store(&line->slot[i], 0);
	return ((head_flags(atomic_load(&t->slot[slot].head)) & SLOT_F_WANT) != 0);
}
/* cachemgr, after changing the head (H2): does a line name it?  `write_only`: for writing. */
bool hazard_named(const struct slot_table *, uint32_t slot, bool write_only);
/* cachemgr, at the burial of a frontend: its lines mean nothing any more. */
void hazard_clear_all(struct slot_table *);

#endif
