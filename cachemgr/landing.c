/* SPDX-License-Identifier: ISC */
/*
 * landing.c -- requests of dead uploaders that may yet have their effect.
 *
 * A PUT or DELETE whose sender died before the answer may be applied by the store a little later, and
 * then over the next request for the same block.  The blocks in question are noted for a while; a
 * PUT or DELETE of one of them within that time carries IPC_F_VERIFY, and the uploader answers only
 * when nothing can land any more and what is there is ours.
 */
#include <stdlib.h>

#include "common/check.h"
#include "cachemgr/cm.h"

struct landing {
	uint64_t first, count;
	uint64_t until_us;
};

void
landing_note(struct cachemgr *cm, uint64_t first, uint64_t count)
{
	if (cm->nlanding == cm->landing_room) {
		cm->landing_room = cm->landing_room > 0 ? 2 * cm->landing_room : 64;
		cm->landing = reallocarray(cm->landing, cm->landing_room, sizeof(*cm->landing));
		MUST(cm->landing != NULL);
	}
	cm->landing[cm->nlanding++] = (struct landing){first, count, cm->now_us + IPC_LANDING_US};
}

bool
landing_possible(struct cachemgr *cm, uint64_t first, uint64_t count)
{
	uint32_t left = 0;
	bool found = false;

	for (uint32_t i = 0; i < cm->nlanding; i++) {
		const struct landing *l = &cm->landing[i];

		if (l->until_us <= cm->now_us)
			continue;
		found = found || (first < l->first + l->count && l->first < first + count);
		cm->landing[left++] = *l;
	}
	cm->nlanding = left;
	return (found);
}
