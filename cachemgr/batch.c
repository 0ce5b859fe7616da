/* SPDX-License-Identifier: ISC */
/*
 * batch.c -- what goes into a commit: the records of everything that changed since the last one.
 *
 * A flush after small writes is one write of the journal, which holds their bytes (DATA); the slots' own
 * bytes stay in the page cache until the kernel writes them.  A flush after many writes, or large ones,
 * is an fdatasync of the file first, and then the batch.
 *
 * The order inside a batch does not matter, as a batch is valid whole or not at all; a batch
 * describes the state at the moment it was built.  Valid maps are read before the data is synced: a
 * frontend sets a bit after its bytes are in the page cache, so the sync covers every bit that was
 * read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/cachelayout.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"

/* New bytes up to here travel in the journal, so that one fdatasync is enough. */
#define PAYLOAD_MAX (128u << 10)
#define LIVE_MOST   (4u << 20) /* bytes of DATA that count */

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

static void
add_slot_rec(struct commit *c, struct bop *b, const uint64_t *valid, uint8_t flags)
{
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

static inline bool
bit_test(const uint64_t *map, uint32_t i)
{
	return ((map[i >> 6] >> (i & 63) & 1) != 0);
}

static int
add_data(struct cachemgr *cm, struct commit *c, uint32_t slot, uint32_t off, uint32_t len)
{
	uint8_t *p = journal_add_data(&c->job.batch, slot, off, len);

	if (p == NULL)
		return (-ENOMEM);
	return (pread_full(cm->cache_fd, p, len, (off_t)(shm_slot_off(cm->shm, slot) + off)));
}

/* What a dirty block's next record will say, and the bytes that have to be durable with it. */
struct change {
	uint64_t valid[IPC_SUB_MAX / 64]; /* of the record */
	uint64_t fresh[IPC_SUB_MAX /
		       64]; /* of those, what the last record did not name: whole sub-blocks */
	uint8_t flags;
	bool record;
	uint64_t bytes;
};

/* Sub-blocks that the notes of this slot touch. */
static void
noted_subs(
    struct cachemgr *cm, const struct commit *c, uint32_t slot, uint64_t map[IPC_SUB_MAX / 64])
{
	uint32_t shift = cm->shm->sub_shift;

	memset(map, 0, IPC_SUB_MAX / 8);
	for (unsigned n = 0; n < c->wrote.n; n++) {
		const struct ipc_wrote *r = &c->wrote.range[n];

		if (r->slot != slot)
			continue;
		for (uint32_t i = r->off >> shift; i <= (r->off + r->len - 1) >> shift; i++)
			map[i >> 6] |= UINT64_C(1) << (i & 63);
	}
}

/*
 * A record has to name what of the block is in the cache alone.  What else is valid came from the bucket, or
 * is zero because nothing is there, and recovery gets it again from where it came from: so sub-blocks count
 * when the frontend has noted them.  Without that help everything that is valid counts: when notes were lost,
 * and in a slot that was dirty from its birth (a copy of a frozen one).
 */
static void
plan_change(struct cachemgr *cm, struct commit *c, const struct bop *b, struct change *ch)
{
	uint8_t zbase = head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE;
	bool first = b->recorded_slot != b->cur, noted = b->noted_slot == b->cur && !c->wrote.lost;
	uint64_t valid[IPC_SUB_MAX / 64], wrote[IPC_SUB_MAX / 64];

	slot_valid_read(&cm->tab, b->cur, valid);
	noted_subs(cm, c, b->cur, wrote);
	/* The object holds what is not in the record, zeros as well. */
	ch->flags = noted && !INJECT_FAIL("mutate.d6-zero-around") ? 0 : zbase;
	ch->bytes = 0;
	ch->record = first ? !noted : b->recorded_flags != ch->flags;
	for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++) {
		uint64_t before = first ? 0 : b->recorded[w];
		uint64_t now = c->wrote.lost || (first && !noted) ? valid[w] : wrote[w] & valid[w];

		ch->fresh[w] = now & ~before;
		ch->valid[w] = now | before;
		ch->record |= ch->fresh[w] != 0;
		ch->bytes += (uint64_t)__builtin_popcountll(ch->fresh[w]) << cm->shm->sub_shift;
	}
}

/* The noted bytes outside the fresh sub-blocks: calls `each`, or adds up. */
static int
add_written_again(
    struct cachemgr *cm, struct commit *c, uint32_t slot, struct change *ch, bool count)
{
	uint32_t sub = cm->shm->geo.sub_size, shift = cm->shm->sub_shift;
	int error = 0;

	for (unsigned n = 0; n < c->wrote.n && error == 0; n++) {
		const struct ipc_wrote *r = &c->wrote.range[n];
		uint32_t end = r->off + r->len, from = r->off, to;

		for (; r->slot == slot && from < end && error == 0; from = to) {
			bool skip = bit_test(ch->fresh, from >> shift);

			/* As far as it goes on like that. */
			for (to = from; to < end && bit_test(ch->fresh, to >> shift) == skip;)
				to = (to & ~(sub - 1)) + sub;
			to = to < end ? to : end;
			if (!skip && count)
				ch->bytes += to - from;
			else if (!skip)
				error = add_data(cm, c, slot, from, to - from);
		}
	}
	return (error);
}

static int
add_fresh(struct cachemgr *cm, struct commit *c, uint32_t slot, const struct change *ch)
{
	uint32_t sub = cm->shm->geo.sub_size;
	int error = 0;

	for (uint32_t i = 0; i < cm->shm->nsub && error == 0; i++)
		if (bit_test(ch->fresh, i))
			error = add_data(cm, c, slot, i * sub, sub);
	return (error);
}

/* One dirty block: a record if it says something new, and the bytes that the frontend wrote. */
static int
add_bop(struct cachemgr *cm, struct commit *c, struct bop *b)
{
	/* Without O_DIRECT the fdatasync behind the batch takes care of what is on record already. */
	bool again = c->file.direct_fd >= 0;
	struct change ch;
	int error;

	if (b->cur == IPC_NO_SLOT || !slot_dirty(cm_slot(cm, b->cur)))
		return (0);
	plan_change(cm, c, b, &ch);
	if (ch.record)
		add_slot_rec(c, b, ch.valid, ch.flags);
	if (INJECT_FAIL("mutate.d6-map-without-bytes"))
		return (0);
	if (again)
		(void)add_written_again(cm, c, b->cur, &ch, true);
	if (c->job.sync_first || c->job.batch.data_len + ch.bytes > PAYLOAD_MAX) {
		c->job.sync_first |= ch.bytes > 0;
		return (0);
	}
	error = add_fresh(cm, c, b->cur, &ch);
	return (error == 0 && again ? add_written_again(cm, c, b->cur, &ch, false) : error);
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

/* Any of them may have been written, and nobody can say which. */
static void
note_all_dirty(struct cachemgr *cm)
{
	struct bop *b;

	TAILQ_FOREACH (b, &cm->dirty, dirty)
		commit_note_dirty(cm, b);
	TAILQ_FOREACH (b, &cm->uploading, up)
		commit_note_dirty(cm, b);
}

static int
build_increment(struct cachemgr *cm, struct commit *c)
{
	struct bop *b;
	int error;

	wrote_gather(cm, &c->wrote);
	if (c->wrote.lost) {
		/* Whatever was noted before is in the slots as well, and synced with them. */
		c->job.sync_first = c->file.direct_fd >= 0;
		note_all_dirty(cm);
	}
	add_frees(cm, c);
	for (uint32_t i = 0; i < c->nzero; i++)
		add_zero(c, c->zero[i].block, c->zero[i].count, c->zero[i].pending);
	while ((b = TAILQ_FIRST(&cm->unrecorded)) != NULL) {
		if ((error = add_bop(cm, c, b)) < 0)
			return (error);
		TAILQ_REMOVE(&cm->unrecorded, b, record);
		b->on_record = 0;
	}
	c->wrote.lost = false;
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
			add_slot_rec(c, b, valid, head_flags(cm_head(cm, b->cur)) & SLOT_F_ZBASE);
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
	int error;

	if (c->job.sync_first) {
		c->settled = c->pos.sequence;
		c->settled_bytes = c->data_bytes;
	}
	error = journal_seal(&c->job.batch, &c->pos,
	    INJECT_FAIL("mutate.d1-forget-data") ? c->pos.sequence : c->settled,
	    c->file.direct_fd >= 0 ? DIRECT_ALIGN : JOURNAL_SECTOR, &crc);
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
	c->marked = c->settled;
	if (c->job.batch.data_len > 0)
		c->data_sequence = c->pos.sequence;
	c->data_bytes += c->job.batch.data_len;
	c->job.has_batch = true;
	return (0);
}

/* An fdatasync with which nothing is recorded must all the same end what DATA says, or it would undo it. */
static bool
batch_wanted(const struct commit *c)
{
	return (c->job.batch.nrec > 0 || c->afresh ||
		(c->data_sequence > c->marked && (c->job.sync_first || c->file.direct_fd < 0)));
}

int
batch_build(struct cachemgr *cm, struct commit *c)
{
	int error;

	c->job.has_batch = false;
	/* A bound for what recovery reads, and for what an fdatasync at the end of a half has to write. */
	c->job.sync_first = c->final || c->data_bytes - c->settled_bytes > LIVE_MOST ||
			    (c->file.direct_fd < 0 && c->data_sequence > c->settled);
	journal_begin(&c->job.batch, false);
	error = build_increment(cm, c);
	if (error < 0)
		return (error);
	if (batch_wanted(c)) {
		size_t need = c->job.batch.len + c->job.batch.data_len + DIRECT_ALIGN;
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
