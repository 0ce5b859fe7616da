/* SPDX-License-Identifier: ISC */
/*
 * batch.c -- what goes into a commit: the records of everything that changed since the last one.
 *
 * The order inside a batch does not matter, as a batch is valid whole or not at all; a batch
 * describes the state at the moment it was built.  Valid maps are read before the data is synced: a
 * frontend sets a bit after its bytes are in the page cache, so the sync covers every bit that was
 * read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cachemgr/commit_impl.h"
#include "common/cachelayout.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"

/* New bytes up to here travel in the journal, so that one fdatasync is enough. */
#define PAYLOAD_MAX (128u << 10)

bool
slot_list_add(struct slot_list *l, uint32_t slot)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap > 0 ? l->cap * 2 : 256;
		uint32_t *p = realloc(l->slot, cap * sizeof(*p));

		if (p == NULL)
			return (false);
		l->slot = p;
		l->cap = cap;
	}
	l->slot[l->n++] = slot;
	return (true);
}

static bool
is_full(struct cachemgr *cm, const uint64_t *valid)
{
	uint32_t n = 0;

	for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++)
		n += (uint32_t)__builtin_popcountll(valid[w]);
	return (n == cm->shm->nsub);
}

static void
add_slot_rec(struct cachemgr *cm, struct commit *c, struct bop *b, const uint64_t *valid)
{
	uint8_t flags = head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE;
	struct journal_rec r = {
	    .kind = JREC_SLOT, .flags = flags, .slot = b->cur, .block = b->block};

	memcpy(r.valid, valid, sizeof(r.valid));
	journal_add(&c->job.batch, &r);
	memcpy(b->recorded, valid, sizeof(b->recorded));
	b->recorded_slot = b->cur;
	b->recorded_flags = flags;
	c->rec_dirty[b->cur] |=
	    (c->rec_dirty[b->cur] & REC_ENDING) != 0 ? REC_DIRTY | REC_AGAIN : REC_DIRTY;
}

/* The bytes that a record names and the one before it did not. */
static int
add_payload(struct cachemgr *cm, struct commit *c, uint32_t slot, const uint64_t *fresh)
{
	uint32_t sub = cm->shm->geo.sub_size;

	for (uint32_t i = 0; i < cm->shm->nsub; i++) {
		uint8_t *p;
		int error;

		if ((fresh[i >> 6] >> (i & 63) & 1) == 0)
			continue;
		p = journal_add_data(&c->job.batch, slot, i * sub, sub);
		if (p == NULL)
			return (-ENOMEM);
		error = pread_full(
		    cm->cache_fd, p, sub, (off_t)(shm_slot_off(cm->shm, slot) + (uint64_t)i * sub));
		if (error < 0)
			return (error);
	}
	return (0);
}

/* One dirty block: a record if its slot, flags or valid map are not what was recorded. */
static int
add_bop(struct cachemgr *cm, struct commit *c, struct bop *b, bool *ret_keep)
{
	uint64_t valid[IPC_SUB_MAX / 64], fresh[IPC_SUB_MAX / 64];
	bool same_slot = b->recorded_slot == b->cur;
	uint64_t bytes = 0;

	*ret_keep = false;
	if (b->cur == IPC_NO_SLOT || !slot_dirty(cm_slot(cm, b->cur)))
		return (0);
	slot_valid_read(&cm->tab, b->cur, valid);
	*ret_keep = !is_full(cm, valid);
	for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++) {
		fresh[w] = same_slot ? valid[w] & ~b->recorded[w] : valid[w];
		bytes += (uint64_t)__builtin_popcountll(fresh[w]) << cm->shm->sub_shift;
	}
	if (same_slot && bytes == 0 &&
	    b->recorded_flags == (head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE))
		return (0);
	add_slot_rec(cm, c, b, valid);
	if (same_slot && INJECT_FAIL("mutate.d6-map-without-bytes"))
		return (0);
	if (c->job.sync_first || c->job.batch.data_len + bytes > PAYLOAD_MAX) {
		c->job.sync_first = true;
		return (0);
	}
	return (add_payload(cm, c, b->cur, fresh));
}

static void
add_zero(struct commit *c, uint32_t block, uint32_t count, bool pending)
{
	struct journal_rec r = {
	    .kind = JREC_ZERO, .flags = pending, .block = block, .count = count};

	journal_add(&c->job.batch, &r);
}

static void
end_record(struct commit *c, uint32_t slot)
{
	struct journal_rec r = {.kind = JREC_FREE, .slot = slot};

	if ((c->rec_dirty[slot] & REC_ENDING) != 0)
		return; /* uploaded and trimmed since the last batch: once is enough */
	/* Not on the list for want of memory: it counts as dirty on record, which is safe. */
	journal_add(&c->job.batch, &r);
	if (slot_list_add(&c->ending, slot))
		c->rec_dirty[slot] |= REC_ENDING;
}

static void
add_frees(struct cachemgr *cm, struct commit *c)
{
	struct journal_rec r = {.kind = JREC_FREE};

	for (uint32_t i = 0; i < c->to_free.n; i++) {
		r.slot = c->to_free.slot[i];
		journal_add(&c->job.batch, &r);
	}
	for (uint32_t i = 0; i < c->to_clean.n; i++) {
		r.slot = c->to_clean.slot[i];
		/*
		 * Also when it has been written again: the record is older than what the bucket
		 * holds, and would undo it.  A write that counts has a SLOT record below.
		 */
		if (c->rec_dirty[r.slot] == 0 || !head_linked(cm_head(cm, r.slot)))
			continue; /* on to_free by now, or through it */
		end_record(c, r.slot);
	}
	for (uint32_t i = 0; i < c->to_drop.n; i++)
		end_record(c, c->to_drop.slot[i]);
	c->to_clean.n = c->to_drop.n = 0;
}

static int
build_increment(struct cachemgr *cm, struct commit *c)
{
	struct bop *b, *next;
	bool keep;
	int error;

	add_frees(cm, c);
	for (uint32_t i = 0; i < c->nzero; i++)
		add_zero(c, c->zero[i].block, c->zero[i].count, c->zero[i].pending);
	for (b = TAILQ_FIRST(&cm->unrecorded); b != NULL; b = next) {
		next = TAILQ_NEXT(b, record);
		if ((error = add_bop(cm, c, b, &keep)) < 0)
			return (error);
		if (!keep) {
			TAILQ_REMOVE(&cm->unrecorded, b, record);
			b->on_record = 0;
		}
	}
	return (0);
}

/* All that is dirty, for the beginning of a half; what it does not name is not dirty. */
static void
build_snapshot(struct cachemgr *cm, struct commit *c)
{
	struct bop_queue *lists[2] = {&cm->dirty, &cm->uploading};
	uint64_t valid[IPC_SUB_MAX / 64];
	uint64_t from = 0, to;

	for (unsigned l = 0; l < 2; l++) {
		struct bop *b = TAILQ_FIRST(lists[l]);

		for (; b != NULL; b = l == 0 ? TAILQ_NEXT(b, dirty) : TAILQ_NEXT(b, up)) {
			/* On both lists: a newer copy while the older is on its way.  Once is
			 * enough. */
			if (b->cur == IPC_NO_SLOT || !slot_dirty(cm_slot(cm, b->cur)) ||
			    (l == 1 && b->on_dirty))
				continue;
			slot_valid_read(&cm->tab, b->cur, valid);
			add_slot_rec(cm, c, b, valid);
		}
	}
	if (cm->npending > 0)
		from = zero_next(cm, cm->pend_lo, cm->pend_hi, ZERO_PENDING);
	while (cm->npending > 0 && from < cm->pend_hi) {
		to = zero_pending_until(cm, from, cm->pend_hi);
		add_zero(c, (uint32_t)from, (uint32_t)(to - from), true);
		from = zero_next(cm, to, cm->pend_hi, ZERO_PENDING);
	}
	c->to_clean.n = c->to_drop.n = 0;
	c->job.sync_first = true;
}

static int
seal(struct commit *c, bool snapshot)
{
	uint32_t crc;
	int error = journal_seal(&c->job.batch, &c->pos, &crc);

	if (error < 0)
		return (error);
	if (c->job.batch.len > c->half_bytes)
		return (-ENOSPC);
	if (snapshot) {
		c->pos.generation++;
		c->pos.half = !c->pos.half;
		c->pos.end = 0;
	}
	c->job.at = CACHE_SUPER_BYTES + c->pos.half * c->half_bytes + c->pos.end;
	c->pos.sequence++;
	c->pos.crc = crc;
	c->pos.end += c->job.batch.len;
	c->pos.last_has_data = c->job.batch.data_len > 0;
	c->job.has_batch = true;
	return (0);
}

int
batch_build(struct cachemgr *cm, struct commit *c)
{
	int error;

	c->job.has_batch = c->job.sync_first = false;
	journal_begin(&c->job.batch, false);
	error = build_increment(cm, c);
	if (error < 0)
		return (error);
	/* An empty batch tells recovery that the payload before it is no longer needed. */
	if (c->job.batch.nrec > 0 || c->pos.last_has_data || c->afresh) {
		size_t need = c->job.batch.len + c->job.batch.data_len + JOURNAL_SECTOR;
		bool snapshot = c->afresh || c->pos.end + need > c->half_bytes;

		if (snapshot) {
			journal_begin(&c->job.batch, true);
			build_snapshot(cm, c);
		}
		error = seal(c, snapshot);
		if (error == 0)
			c->afresh = false;
	}
	c->nzero = 0;
	return (error);
}
