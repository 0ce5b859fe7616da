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
};

struct recovery {
	struct cachemgr *cm;
	struct found *found; /* per slot */
	bool apply;
	uint32_t npayload;
};

static void
on_reset(void *ctx)
{
	struct recovery *r = ctx;

	memset(r->found, 0, r->cm->shm->geo.nslots * sizeof(*r->found));
}

static int
replay_payload(struct recovery *r, const struct journal_rec *rec)
{
	const struct shm *shm = r->cm->shm;

	if (!r->apply)
		return (0);
	if (rec->offset > shm->geo.block_size || rec->count > shm->geo.block_size - rec->offset)
		return (-EUCLEAN);
	r->npayload++;
	return (pwrite_full(r->cm->cache_fd, rec->data, rec->count,
	    (off_t)(shm_slot_off(shm, rec->slot) + rec->offset)));
}

static int
on_rec(void *ctx, const struct journal_rec *rec, uint64_t sequence, bool last)
{
	struct recovery *r = ctx;
	const struct shm_geometry *g = &r->cm->shm->geo;
	struct found *f = rec->slot < g->nslots ? &r->found[rec->slot] : NULL;

	(void)last;
	/* A batch that passes its checksum and says the impossible was written by a bug, not a
	 * crash. */
	if ((rec->kind != JREC_ZERO && f == NULL) ||
	    ((rec->kind == JREC_SLOT || rec->kind == JREC_ZERO) && rec->block >= g->nblocks) ||
	    (rec->kind == JREC_ZERO && rec->count > g->nblocks - rec->block))
		return (-EUCLEAN);
	switch (rec->kind) {
	case JREC_SLOT:
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
		return (replay_payload(r, rec));
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
	    .rec = on_rec};
	uint32_t n = cm->shm->geo.nslots, dirty = 0;
	int error;

	r.found = calloc(n, sizeof(*r.found));
	if (r.found == NULL)
		return (-ENOMEM);
	error = journal_read(cm->cache_fd, CACHE_SUPER_BYTES, half_bytes, ret_pos, &v);
	if (error == 0 && r.npayload > 0)
		error = durable_sync(cm->cache_fd); /* before a later batch makes it not count */
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
	free(r.found);
	if (error < 0)
		log_err(error, "the journal of the cache file cannot be read");
	else if (apply && (dirty > 0 || cm->npending > 0))
		log_info("recovered from the cache file: dirty_blocks=%u deletes=%llu", dirty,
		    (unsigned long long)cm->npending);
	return (error);
}
