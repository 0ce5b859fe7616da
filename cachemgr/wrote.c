/* SPDX-License-Identifier: ISC */
#include "cachemgr/wrote.h"

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "common/inject.h"

static struct ipc_write_log *
log_of(struct cachemgr *cm, unsigned line)
{
	return ((struct ipc_write_log *)shm_area(cm->shm, SHM_WRITE_LOG) + line);
}

void
wrote_open(struct cachemgr *cm, struct wrote *w)
{
	w->n = 0;
	for (unsigned i = 0; i < IPC_HAZ_LINES; i++) {
		struct ipc_write_log *l = log_of(cm, i);
		struct ipc_wrote note;

		w->lost_before[i] = write_log_lost(l);
		for (unsigned k = 0; k < WRITE_LOG_NOTES && write_log_take(l, &note) == 1; k++)
			;
	}
	w->lost = true;
}

/* The block whose newest bytes lie in that slot, if they are not in the bucket. */
static struct bop *
block_of(struct cachemgr *cm, const struct ipc_wrote *n)
{
	uint64_t h = cm_head(cm, n->slot);
	struct bop *b;

	if (head_gen(h) != (uint16_t)n->gen || !head_linked(h) || !slot_dirty(cm_slot(cm, n->slot)))
		return (NULL);
	/* The note may be here before the DIRTY message is; what else was lost before that, nobody knows. */
	b = request_dirty(cm, head_block(h), n->slot, atomic_load(&cm->st->notes_lost) - 1);
	return (b->cur == n->slot ? b : NULL);
}

static void
add_range(struct wrote *w, const struct ipc_wrote *n)
{
	for (unsigned i = w->n; i-- > 0;) {
		struct ipc_wrote *r = &w->range[i];
		uint32_t end = r->off + r->len, new_end = n->off + n->len;

		if (r->slot != n->slot || n->off > end || r->off > new_end)
			continue;
		r->off = n->off < r->off ? n->off : r->off;
		r->len = (new_end > end ? new_end : end) - r->off;
		return;
	}
	if (w->n == WROTE_MOST)
		w->lost = true;
	else
		w->range[w->n++] = *n;
}

static void
take_note(struct cachemgr *cm, struct wrote *w, const struct ipc_wrote *n)
{
	uint32_t size = cm->shm->geo.block_size;
	struct bop *b;

	if (n->slot >= cm->shm->geo.nslots || n->len == 0 || n->len > size ||
	    n->off > size - n->len) {
		ctr_inc(cm->ctr, bad_messages);
		w->lost = true;
		return;
	}
	if ((b = block_of(cm, n)) == NULL)
		return;
	commit_note_dirty(cm, b);
	add_range(w, n);
}

void
wrote_gather(struct cachemgr *cm, struct wrote *w)
{
	w->n = 0;
	for (unsigned i = 0; i < IPC_HAZ_LINES; i++) {
		struct ipc_write_log *l = log_of(cm, i);
		uint32_t lost = write_log_lost(l);
		struct ipc_wrote note;
		int r = 0;

		w->lost |= lost != w->lost_before[i] && !INJECT_FAIL("mutate.d1-lost-notes");
		w->lost_before[i] = lost;
		/* No more than a ring: the frontend goes on writing, and those are for the next commit. */
		for (unsigned k = 0; k < WRITE_LOG_NOTES && (r = write_log_take(l, &note)) == 1;
		     k++)
			take_note(cm, w, &note);
		if (r < 0) {
			ctr_inc(cm->ctr, bad_messages);
			w->lost = true;
		}
	}
	if (w->lost)
		(void)atomic_fetch_add(&cm->st->notes_lost, 1);
}
