/* SPDX-License-Identifier: ISC */
/*
 * zeromap.c -- changes of the known-zero map, and walks through it that do not mind its size.
 *
 * A disk may have 2^32 - 1 blocks, of which a file system trims all in one request.  So ranges are
 * changed 32 blocks, a word, at a time, and a walk jumps over what the segment has no memory for: there
 * every block is UNKNOWN.  Looking at a word there would make the kernel allocate a page for it.
 */
#include <errno.h>
#include <unistd.h>

#include "common/check.h"
#include "cachemgr/cm.h"
#include "cachemgr/commit.h"

#define WORD_BLOCKS 32
#define PAGE_BLOCKS (4096 / 8 * WORD_BLOCKS)
#define ONES	    UINT64_C(0x5555555555555555) /* the lower bit of each block */

static uint64_t
word_at(const struct cachemgr *cm, uint64_t block)
{
	return (atomic_load_explicit(&cm->tab.zero[block / WORD_BLOCKS], memory_order_relaxed));
}

/* `count` blocks from `block` on leave one state for another: all but the map itself. */
static void
account(
    struct cachemgr *cm, uint64_t block, uint32_t count, enum zero_state from, enum zero_state to)
{
	if (from == ZERO_PENDING) {
		MUST(cm->npending >= count);
		cm->npending -= count;
	}
	if (to == ZERO_PENDING) {
		cm->pend_blocked = false;
		if (cm->npending == 0) {
			cm->pend_since_us = cm->now_us;
			cm->pend_lo = cm->pend_cursor = block;
			cm->pend_hi = block + count;
		}
		cm->npending += count;
		if (block < cm->pend_lo)
			cm->pend_lo = block;
		if (block + count > cm->pend_hi)
			cm->pend_hi = block + count;
	}
	if (from == ZERO_PRESENT)
		atomic_fetch_sub(&cm->st->present_blocks, count);
	if (to == ZERO_PRESENT)
		atomic_fetch_add(&cm->st->present_blocks, count);
	if (cm->commit != NULL && (from == ZERO_PENDING || to == ZERO_PENDING))
		commit_note_zero(cm, (uint32_t)block, count, to == ZERO_PENDING);
}

void
zero_change(struct cachemgr *cm, uint32_t block, enum zero_state to)
{
	enum zero_state from = zero_get(&cm->tab, block);

	if (from == to)
		return;
	account(cm, block, 1, from, to);
	zero_set(&cm->tab, block, to);
}

void
zero_change_range(struct cachemgr *cm, uint64_t block, uint64_t end, enum zero_state to)
{
	while (block < end) {
		uint64_t w = word_at(cm, block);

		if (block % WORD_BLOCKS != 0 || end - block < WORD_BLOCKS || w != (w & 3) * ONES) {
			zero_change(cm, (uint32_t)block++, to);
			continue;
		}
		if ((w & 3) != to) {
			account(cm, block, WORD_BLOCKS, (enum zero_state)(w & 3), to);
			atomic_store_explicit(
			    &cm->tab.zero[block / WORD_BLOCKS], to * ONES, memory_order_release);
		}
		block += WORD_BLOCKS;
	}
}

/* Where the segment has memory again, at or after `block`; both are the first of a page. */
static uint64_t
after_hole(const struct cachemgr *cm, uint64_t block)
{
	off_t base = (off_t)cm->shm->off[SHM_ZEROMAP];
	off_t at = lseek(cm->shm->fd, base + (off_t)(block / WORD_BLOCKS * 8), SEEK_DATA);

	if (at < 0)
		return (errno == ENXIO ? cm->shm->geo.nblocks : block);
	return ((uint64_t)(at - base) / 8 * WORD_BLOCKS);
}

static uint64_t
zero_skip_hole(const struct cachemgr *cm, uint64_t block, uint64_t end)
{
	if (block % PAGE_BLOCKS == 0 && block < end)
		block = after_hole(cm, block);
	return (block < end ? block : end);
}

/* The lower bit of each block of a word that is in that state. */
static uint64_t
in_state(uint64_t w, enum zero_state z)
{
	return (((z & 1) != 0 ? w : ~w) & ((z & 2) != 0 ? w >> 1 : ~(w >> 1)) & ONES);
}

uint64_t
zero_next(const struct cachemgr *cm, uint64_t block, uint64_t end, enum zero_state z)
{
	while ((block = zero_skip_hole(cm, block, end)) < end) {
		uint64_t at = block % WORD_BLOCKS;
		uint64_t w = in_state(word_at(cm, block), z) >> at * 2;

		if (w != 0) {
			block += (unsigned)__builtin_ctzll(w) / 2;
			return (block < end ? block : end);
		}
		block += WORD_BLOCKS - at;
	}
	return (end);
}

uint64_t
zero_pending_until(const struct cachemgr *cm, uint64_t block, uint64_t end)
{
	while (block < end) {
		if (block % WORD_BLOCKS == 0 && end - block >= WORD_BLOCKS &&
		    word_at(cm, block) == UINT64_MAX)
			block += WORD_BLOCKS;
		else if (zero_get(&cm->tab, block) == ZERO_PENDING)
			block++;
		else
			break;
	}
	return (block);
}

/* For a map that we have not made: what is pending in it, and how many blocks are present. */
void
zero_recount(struct cachemgr *cm)
{
	uint64_t end = cm->shm->geo.nblocks, present = 0;

	for (uint64_t b = 0; (b = zero_skip_hole(cm, b, end)) < end; b += WORD_BLOCKS) {
		uint64_t w = word_at(cm, b), pending = in_state(w, ZERO_PENDING);

		present += (unsigned)__builtin_popcountll(in_state(w, ZERO_PRESENT));
		if (pending == 0)
			continue;
		if (cm->npending == 0)
			cm->pend_lo = cm->pend_cursor = b + (unsigned)__builtin_ctzll(pending) / 2;
		cm->npending += (unsigned)__builtin_popcountll(pending);
		cm->pend_hi = b + WORD_BLOCKS - (unsigned)__builtin_clzll(pending) / 2;
	}
	atomic_store(&cm->st->present_blocks, present);
}
