/* SPDX-License-Identifier: ISC */
#include "cachemgr/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cachemgr/cachefile.h"
#include "cachemgr/cm.h"
#include "cachemgr/journal.h"
#include "common/cachelayout.h"
#include "common/check.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"

struct found { /* the newest record of one slot */
	uint64_t sequence;
	uint64_t valid[IPC_SUB_MAX / 64];
	uint32_t block;
	uint8_t flags;
	bool dirty;
	uint64_t since; /* DATA from this number on is of this block */
};

struct payload { /* one DATA record */
	uint64_t sequence;
	uint32_t slot, off, len;
	uint8_t *bytes; /* owned */
};

struct recovery {
	struct cachemgr *cm;
	struct found *found; /* per slot */
	bool apply;
	struct payload *payload; /* what counts so far, in the order of the journal */
	uint32_t npayload, cap;
	uint64_t first; /* number of payload[0] among all there were */
};

static void
on_settled(void *ctx, uint64_t sequence)
{
	struct recovery *r = ctx;
	uint32_t n = 0;

	for (; n < r->npayload && r->payload[n].sequence <= sequence; n++)
		free(r->payload[n].bytes);
	if (n == 0)
		return;
	r->npayload -= n;
	r->first += n;
	memmove(r->payload, r->payload + n, r->npayload * sizeof(*r->payload));
}

static void
on_reset(void *ctx)
{
	struct recovery *r = ctx;

	memset(r->found, 0, r->cm->shm->geo.nslots * sizeof(*r->found));
}

static int
note_payload(struct recovery *r, const struct journal_rec *rec, uint64_t sequence)
{
	uint32_t size = r->cm->shm->geo.block_size;
	struct payload *p;

	if (!r->apply)
		return (0);
	if (rec->offset > size || rec->count > size - rec->offset)
		return (-EUCLEAN);
	if (r->npayload == r->cap) {
		uint32_t cap = r->cap > 0 ? r->cap * 2 : 256;

		p = reallocarray(r->payload, cap, sizeof(*p));
		if (p == NULL)
			return (-ENOMEM);
		r->payload = p;
		r->cap = cap;
	}
	p = &r->payload[r->npayload];
	*p = (struct payload){sequence, rec->slot, rec->offset, rec->count, malloc(rec->count)};
	if (p->bytes == NULL)
		return (-ENOMEM);
	memcpy(p->bytes, rec->data, rec->count);
	r->npayload++;
	return (0);
}

/*
 * Into the slots that are dirty still: of what was freed the bucket has newer, and what lies there now may be
 * a clean block, which would not fit its checksum any more.  Then it must be durable, before a later batch
 * makes it not count.
 */
static int
replay(struct recovery *r)
{
	const struct shm *shm = r->cm->shm;
	uint32_t n = 0;
	int error = 0;

	for (uint32_t i = 0; i < r->npayload && error == 0; i++) {
		const struct payload *p = &r->payload[i];
		const struct found *f = &r->found[p->slot];

		if (!f->dirty || r->first + i < f->since)
			continue;
		error = pwrite_full(r->cm->cache_fd, p->bytes, p->len,
		    (off_t)(shm_slot_off(shm, p->slot) + p->off));
		n++;
	}
	return (error == 0 && n > 0 ? durable_sync(r->cm->cache_fd) : error);
}

static int
on_rec(void *ctx, const struct journal_rec *rec, uint64_t sequence)
{
	struct recovery *r = ctx;
	const struct shm_geometry *g = &r->cm->shm->geo;
	struct found *f = rec->slot < g->nslots ? &r->found[rec->slot] : NULL;

	/* A batch that passes its checksum and says the impossible was written by a bug, not a
	 * crash. */
	if ((rec->kind != JREC_ZERO && f == NULL) ||
	    ((rec->kind == JREC_SLOT || rec->kind == JREC_ZERO) && rec->block >= g->nblocks) ||
	    (rec->kind == JREC_ZERO && rec->count > g->nblocks - rec->block))
		return (-EUCLEAN);
	switch (rec->kind) {
	case JREC_SLOT:
		if (!f->dirty || f->block != rec->block)
			f->since = r->first + r->npayload;
		f->dirty = true;
		f->sequence = sequence;
		f->block = rec->block;
		f->flags = rec->flags;
		memcpy(f->valid, rec->valid, sizeof(f->valid));
		return (0);
	case JREC_FREE:
		f->dirty = false;
		return (0);
	case JREC_ZERO:
		if (r->apply)
			zero_change_range(r->cm, rec->block, (uint64_t)rec->block + rec->count,
			    rec->flags ? ZERO_PENDING : ZERO_UNKNOWN);
		return (0);
	case JREC_DATA:
		return (note_payload(r, rec, sequence));
	default:
		return (-EUCLEAN);
	}
}

/*
 * D8: of two dirty slots of one block, the one recorded later stands.  The other has a durable
 * record still, which would count again once the winner's is gone: it is held until a FREE is
 * durable.
 */
static void
link_found(struct cachemgr *cm, struct found *found, uint32_t slot)
{
	struct found *f = &found[slot];
	struct ipc_slot *s = cm_slot(cm, slot);
	struct bop *b = bop_get(cm, f->block);
	uint32_t loser = IPC_NO_SLOT;

	MUST(b != NULL);
	slot_prepare(cm, slot, f->block);
	if (b->cur != IPC_NO_SLOT) {
		if ((found[b->cur].sequence > f->sequence) != INJECT_FAIL("mutate.d8-older-wins")) {
			slot_release(cm, slot);
			return;
		}
		loser = b->cur;
		slot_unlink(cm, loser);
	}
	slot_add_map(cm, slot, f->valid);
	atomic_store(&s->cseq, atomic_load(&s->wseq) - 1);
	slot_link(cm, slot, f->block, f->flags & SLOT_F_ZBASE, SLOT_LIVE);
	b->cur = slot;
	b->recorded_slot = slot;
	b->recorded_flags = f->flags & SLOT_F_ZBASE;
	memcpy(b->recorded, f->valid, sizeof(b->recorded));
	bop_set_dirty(cm, b);
	if (loser != IPC_NO_SLOT)
		slot_release(cm, loser);
}

int
recover_journal(struct cachemgr *cm, const struct cachefile *file, uint64_t half_bytes,
    struct journal_pos *ret_pos, uint8_t *rec_dirty, bool apply)
{
	struct recovery r = {.cm = cm, .apply = apply};
	struct journal_visit v = {.last_sequence = file->last_sequence,
	    .last_crc = file->last_crc,
	    .damage_is_end = atomic_load(&cm->st->dirty_welcome) != 0,
	    .ctx = &r,
	    .reset = on_reset,
	    .settled = on_settled,
	    .rec = on_rec};
	uint32_t n = cm->shm->geo.nslots, dirty = 0;
	int error;

	r.found = calloc(n, sizeof(*r.found));
	if (r.found == NULL)
		return (-ENOMEM);
	error = journal_read(cm->cache_fd, CACHE_SUPER_BYTES, half_bytes, ret_pos, &v);
	if (error == 0)
		error = replay(&r);
	for (uint32_t i = 0; error == 0 && i < n; i++) {
		if (!r.found[i].dirty)
			continue;
		rec_dirty[i] = 1;
		dirty++;
	}
	/* slots_open() makes the free list after us, of what is still FREE. */
	for (uint32_t i = 0; error == 0 && apply && i < n; i++)
		if (r.found[i].dirty)
			link_found(cm, r.found, i);
	on_settled(&r, UINT64_MAX);
	free(r.payload);
	free(r.found);
	if (error < 0)
		log_err(error, "the journal of the cache file cannot be read");
	else if (apply && (dirty > 0 || cm->npending > 0))
		log_info("recovered from the cache file: dirty_blocks=%u deletes=%llu", dirty,
		    (unsigned long long)cm->npending);
	return (error);
}
