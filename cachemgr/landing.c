/* SPDX-License-Identifier: ISC */
/*
 * landing.c -- requests of dead uploaders that may yet have their effect.
 *
 * A PUT or DELETE whose sender died before the answer may be applied by the store a little later, and
 * then over the next request for the same block.  The blocks in question are noted for a while; a
 * PUT or DELETE of one of them within that time carries IPC_F_VERIFY, and the uploader answers only
 * when nothing can land any more and what is there is ours.
 *
 * When everything died at once, s3backerd too, nobody knows which blocks these are: a PUT of what was
 * never flushed is on no record.  And not only a later PUT is in danger: what is read before it lands is
 * another version than what is read afterwards.  So a start after such an end asks the store for nothing
 * until that much time has passed; writes go into the cache meanwhile.
 */
#include <stdlib.h>

#include "common/check.h"
#include "common/conf.h"
#include "common/inject.h"
#include "common/log.h"
#include "cachemgr/cm.h"

struct landing {
	uint64_t first, count;
	uint64_t until_us;
};

void
landing_await(struct cachemgr *cm)
{
	/* What a dead process had not renamed by then, it never will. */
	if (cm->env->conf->store_is_dir || INJECT_FAIL("mutate.p3-no-landing"))
		return;
	atomic_store(&cm->st->unclean, 1); /* for a cachemgr that follows on us meanwhile */
	cm->quiet_until_us = cm->now_us + IPC_LANDING_US;
	cm->survey_retry_us = cm->quiet_until_us;
	log_info("not ended well: waiting for what may still be on its way to the store: ms=%u",
	    (unsigned)(IPC_LANDING_US / 1000));
}

bool
landing_quiet(struct cachemgr *cm)
{
	if (cm->now_us < cm->quiet_until_us)
		return (true);
	if (cm->quiet_until_us != 0)
		atomic_store(&cm->st->unclean, 0);
	cm->quiet_until_us = 0;
	return (false);
}

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
