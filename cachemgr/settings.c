/* SPDX-License-Identifier: ISC */
/*
 * settings.c -- limits that change while the disk runs: `s3backerctl set`.
 *
 * s3backerd has checked the value and keeps it for our successors; here it takes effect at once.  -EINVAL
 * means "at the next start", and the user is told so.
 */
#include <errno.h>

#include "common/conf.h"
#include "cachemgr/cm.h"

void
settings_max_dirty(struct cachemgr *cm, uint64_t slots)
{
	uint32_t nslots = cm->shm->geo.nslots;

	/* Some slots must be able to take what is read while all the others are dirty. */
	cm->max_dirty = nslots - nslots / 8 - 1;
	if (slots > 0 && slots < cm->max_dirty)
		cm->max_dirty = (uint32_t)slots;
	if (cm->max_dirty == 0)
		cm->max_dirty = 1;
}

void
settings_through(struct cachemgr *cm)
{
	uint32_t state = atomic_load(&cm->st->disk_state);

	cm->drained = cm->sync || state == DISK_DRAINING || state == DISK_DRAINED;
	atomic_store(&cm->st->write_through, cm->drained);
}

int
settings_change(struct cachemgr *cm, uint32_t key, uint64_t value)
{
	struct bop *b;

	switch (key) {
	case CONF_blockCacheMaxDirty:
		settings_max_dirty(cm, value);
		cm->room_made = true; /* those who wait for room look again */
		return (0);
	case CONF_blockCacheWriteDelay:
		cm->write_delay_us = value;
		cm->send_passed = false;
		/* Those that wait do so for the delay of before, and the list is in order of time. */
		TAILQ_FOREACH (b, &cm->due, due)
			b->check_us = cm->now_us;
		return (0);
	case CONF_maxDirtyAge:
		cm->max_dirty_age_us = value;
		return (0);
	case CONF_blockCacheSync:
		cm->sync = value != 0 || cm->shared;
		settings_through(cm);
		return (0);
	case CONF_blockCacheTimeout:
		return (expire_set(cm, value));
	case CONF_readAhead:
		readahead_set(cm, (uint32_t)value, 0);
		return (0);
	case CONF_readAheadTrigger:
		readahead_set(cm, UINT32_MAX, (uint32_t)value);
		return (0);
	case CONF_flushTo:     /* s3backerd has written it into the segment */
	case CONF_drainOnStop: /* concerns s3backerd alone */
		return (0);
	default:
		return (-EINVAL);
	}
}
