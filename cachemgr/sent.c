/* SPDX-License-Identifier: ISC */
/*
 * sent.c -- when the bytes of a slot were last uploaded, for blocks that come back soon.
 *
 * A journal, or a file that is written over and over, passes the same blocks again every few moments.
 * While one is dirty its writes tell that (still_written()); but an upload ends that account, and a block
 * whose pauses are a little longer than the write delay would be sent in each of them.  So one that becomes
 * dirty again soon after it was sent has to be calm for longer, and is not sent at once when its writer
 * moves on.
 */
#include <errno.h>
#include <stdlib.h>

#include "cachemgr/cm.h"

#define TICK_US 65536 /* 16 bits of them are an hour */
#define MOST	(UINT16_MAX / 2)

static uint16_t
tick(const struct cachemgr *cm)
{
	uint16_t t = (uint16_t)(cm->now_us / TICK_US);

	return (t != 0 ? t : 1);
}

int
sent_open(struct cachemgr *cm)
{
	cm->sent = calloc(cm->shm->geo.nslots, sizeof(*cm->sent));
	return (cm->sent != NULL ? 0 : -ENOMEM);
}

void
sent_note(struct cachemgr *cm, uint32_t slot)
{
	cm->sent[slot] = tick(cm);
}

void
sent_forget(struct cachemgr *cm, uint32_t slot)
{
	cm->sent[slot] = 0;
}

bool
sent_lately(const struct cachemgr *cm, uint32_t slot, uint64_t us)
{
	uint64_t window = us / TICK_US + 1;

	if (window > MOST)
		window = MOST;
	return (cm->sent[slot] != 0 && (uint16_t)(tick(cm) - cm->sent[slot]) <= window);
}
