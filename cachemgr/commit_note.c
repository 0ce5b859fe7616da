/* SPDX-License-Identifier: ISC */
/*
 * commit_note.c -- what changed since the last commit, as cachemgr makes the changes.  What the frontend
 * changes: wrote.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"
#include "common/inject.h"
#include "common/log.h"

void
commit_note_dirty(struct cachemgr *cm, struct bop *b)
{
	if (b->on_record)
		return;
	b->on_record = 1;
	TAILQ_INSERT_TAIL(&cm->unrecorded, b, record);
}

void
commit_note_clean(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	/* Forgetting one costs a commit at its eviction, nothing else. */
	if (c->rec_dirty[slot] != 0 && !c->broken)
		(void)slot_list_add(&c->to_clean, slot);
}

void
commit_note_zero(struct cachemgr *cm, uint32_t block, uint32_t count, bool pending)
{
	struct commit *c = cm->commit;
	struct zero_note *z = c->nzero > 0 ? &c->zero[c->nzero - 1] : NULL;

	if (c->broken || INJECT_FAIL("mutate.d7-forget-trims"))
		return;
	if (z != NULL && z->pending == pending && z->block + z->count == block) {
		z->count += count;
		return;
	}
	if (c->nzero == c->zero_cap) {
		uint32_t cap = c->zero_cap > 0 ? c->zero_cap * 2 : 256;

		z = realloc(c->zero, cap * sizeof(*z));
		if (z == NULL) {
			/* A trim that is forgotten by a crash brings old data back: start over. */
			log_err(-ENOMEM, "cannot note a trim; starting over");
			exit(ROLE_EXIT_AGAIN);
		}
		c->zero = z;
		c->zero_cap = cap;
	}
	c->zero[c->nzero++] = (struct zero_note){block, count, pending};
	if (c->nzero > 65536)
		c->wanted = true;
}

void
commit_note_dropped(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	if (c->rec_dirty[slot] != 0 && !c->broken && !slot_list_add(&c->to_drop, slot)) {
		log_err(-ENOMEM, "cannot note a trim; starting over");
		exit(ROLE_EXIT_AGAIN);
	}
}

bool
commit_hold_slot(struct cachemgr *cm, uint32_t slot)
{
	struct commit *c = cm->commit;

	if (c->rec_dirty[slot] == 0 || INJECT_FAIL("mutate.d2-reuse-at-once"))
		return (false);
	if (!slot_list_add(&c->to_free, slot)) {
		log_err(-ENOMEM, "cannot keep a slot until its record is durable; starting over");
		exit(ROLE_EXIT_AGAIN);
	}
	if (c->to_free.n > cm->shm->geo.nslots / 16)
		c->wanted = true;
	return (true);
}

void
commit_visit_held(struct cachemgr *cm, uint8_t *seen, uint8_t bit)
{
	const struct slot_list *l[2] = {&cm->commit->to_free, &cm->commit->freeing};

	for (unsigned k = 0; k < 2; k++)
		for (uint32_t i = 0; i < l[k]->n; i++)
			if (head_state(cm_head(cm, l[k]->slot[i])) == SLOT_OLD)
				seen[l[k]->slot[i]] |= bit;
}
