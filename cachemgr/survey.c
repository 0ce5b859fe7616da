/* SPDX-License-Identifier: ISC */
/*
 * survey.c -- which blocks exist: one listing of the bucket in the background, after the start.
 *
 * The uploader sends runs of existing blocks.  With plain names they come in block order, and the
 * surveyed part of the disk grows with them: below state.survey_next, UNKNOWN means ABSENT.  With
 * hashed names the order says nothing, and the whole disk is surveyed when the last page has come.
 *
 * A page may be older than what has happened since it was asked for: a block that we PUT after the
 * survey began is left alone, whatever the page says.  One that was trimmed and never PUT since,
 * and is not listed, needs no delete.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/warm.h"

#define RETRY_US   30000000
#define UNBLOCK_US 100000

void
survey_start(struct cachemgr *cm)
{
	struct ipc_msg m = {.type = IPC_LIST, .block = 0, .arg = cm->shm->geo.nblocks};
	struct xfer *x;

	if (cm->warm != NULL)
		m.flags |= IPC_F_ETAG;
	x = sched_start(cm, XFER_LIST, &m);

	if (x == NULL)
		return; /* asked again each turn while survey_wanted */
	cm->survey_wanted = false;
	cm->survey_on = true;
	cm->survey_sorted = !cm->env->conf->block_hash_prefix;
	(void)sched_send(cm, x, &m);
}

static uint32_t *
put_place(uint32_t *set, uint32_t size, uint32_t block)
{
	uint32_t i = (uint32_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (size - 1);

	while (set[i] != 0 && set[i] != block + 1)
		i = (i + 1) & (size - 1);
	return (&set[i]);
}

void
survey_note_put(struct cachemgr *cm, uint32_t block)
{
	uint32_t *place;

	if (!cm->survey_on || block < atomic_load(&cm->st->survey_next))
		return;
	if ((cm->survey_put_n + 1) * 2 > cm->survey_put_size) {
		uint32_t size = cm->survey_put_size > 0 ? cm->survey_put_size * 2 : 1024;
		uint32_t *set = calloc(size, sizeof(*set));

		if (set == NULL) {
			/* Without the note the survey could not be believed: give it up. */
			cm->survey_sorted = false;
			cm->survey_put_n = UINT32_MAX / 4;
			return;
		}
		for (uint32_t i = 0; i < cm->survey_put_size; i++)
			if (cm->survey_put[i] != 0)
				*put_place(set, size, cm->survey_put[i] - 1) = cm->survey_put[i];
		free(cm->survey_put);
		cm->survey_put = set;
		cm->survey_put_size = size;
	}
	place = put_place(cm->survey_put, cm->survey_put_size, block);
	if (*place == 0)
		cm->survey_put_n++;
	*place = block + 1;
}

static bool
was_put(const struct cachemgr *cm, uint32_t block)
{
	return (
	    cm->survey_put_size > 0 && *put_place(cm->survey_put, cm->survey_put_size, block) != 0);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return ((x > y) - (x < y));
}

/* A long run of pending blocks, of which the few that were PUT stay so. */
static void
absent_but_put(struct cachemgr *cm, uint64_t from, uint64_t to)
{
	uint32_t *put = calloc((size_t)cm->survey_put_n + 1, sizeof(*put)), n = 0;

	if (put == NULL)
		return; /* they are deleted, which is never wrong */
	for (uint32_t i = 0; i < cm->survey_put_size; i++) {
		uint64_t block = (uint64_t)cm->survey_put[i] - 1;

		if (cm->survey_put[i] != 0 && block >= from && block < to)
			put[n++] = (uint32_t)block;
	}
	qsort(put, n, sizeof(*put), by_number);
	for (uint32_t i = 0; i < n; i++) {
		zero_change_range(cm, from, put[i], ZERO_ABSENT);
		from = (uint64_t)put[i] + 1;
	}
	zero_change_range(cm, from, to, ZERO_ABSENT);
	free(put);
}

/* Pending blocks that are not in the listing need no delete, save those that were PUT meanwhile. */
static void
absent_run(struct cachemgr *cm, uint64_t from, uint64_t to)
{
	if (to - from > cm->survey_put_size) {
		absent_but_put(cm, from, to);
		return;
	}
	for (; from < to; from++)
		if (!was_put(cm, (uint32_t)from))
			zero_change(cm, (uint32_t)from, ZERO_ABSENT);
}

/* Blocks from..to-1 are not in the listing. */
static void
absent(struct cachemgr *cm, uint64_t from, uint64_t to)
{
	/* UNKNOWN becomes ABSENT by survey_next alone; unsorted, a PENDING block may have been
	 * listed. */
	if (cm->npending == 0 || !cm->survey_sorted)
		return;
	if (from < cm->pend_lo)
		from = cm->pend_lo;
	if (to > cm->pend_hi)
		to = cm->pend_hi;
	while ((from = zero_next(cm, from, to, ZERO_PENDING)) < to) {
		uint64_t run = zero_pending_until(cm, from, to);

		absent_run(cm, from, run);
		from = run;
	}
}

/*
 * Deletes may go on where the listing has been.  Not after each of its messages: looking for them
 * takes a walk through the map.
 */
void
survey_unblock(struct cachemgr *cm)
{
	if (!cm->survey_moved || cm->now_us < cm->survey_unblock_us)
		return;
	cm->survey_moved = false;
	cm->survey_unblock_us = cm->now_us + UNBLOCK_US;
	cm->pend_blocked = false;
}

static void
advance(struct cachemgr *cm, uint64_t to)
{
	uint64_t from = atomic_load(&cm->st->survey_next);

	if (to <= from)
		return;
	absent(cm, from, to);
	cm->survey_moved = true;
	/* After the map: whoever sees the new bound sees what was found below it. */
	atomic_store(&cm->st->survey_next, to);
}

void
survey_listed(struct cachemgr *cm, const struct ipc_msg *m)
{
	uint64_t count = m->arg;
	uint32_t block = (uint32_t)m->block;
	uint64_t end = (uint64_t)block + count;

	ctr_add(cm->ctr, survey_keys, count);
	if (cm->warm != NULL && count == 1 && !was_put(cm, block))
		warm_listed(cm, block, m->etag);
	if (cm->survey_sorted && block > atomic_load(&cm->st->survey_next))
		advance(cm, block);
	for (uint64_t i = block; i < end; i++)
		if (zero_get(&cm->tab, i) == ZERO_UNKNOWN)
			zero_change(cm, (uint32_t)i, ZERO_PRESENT);
	/* These exist: not advance(), which would take the pending ones for absent. */
	if (cm->survey_sorted && end > atomic_load(&cm->st->survey_next)) {
		atomic_store(&cm->st->survey_next, end);
		cm->survey_moved = true;
	}
}

void
survey_done(struct cachemgr *cm, int status)
{
	bool believable = cm->survey_put_n < UINT32_MAX / 4;

	cm->survey_on = false;
	cm->pend_blocked = false;
	if (status == 0 && believable) {
		advance(cm, cm->shm->geo.nblocks);
		warm_drop_unsure(cm, 0, cm->shm->geo.nblocks);
		log_info("survey of the bucket is complete: blocks=%llu",
		    (unsigned long long)ctr_get(cm->ctr, survey_keys));
	} else {
		if (status != -EAGAIN)
			log_err(status, "survey of the bucket failed, will try again");
		cm->survey_retry_us = cm->now_us + (status == -EAGAIN ? 0 : RETRY_US);
		cm->survey_wanted = true;
	}
	free(cm->survey_put);
	cm->survey_put = NULL;
	cm->survey_put_n = cm->survey_put_size = 0;
}
