/* SPDX-License-Identifier: ISC */
/*
 * page.c -- asking the bucket about what was kept, where somebody reads it: a page of names at a time.
 *
 * A block that was kept over a restart is believed when the bucket still holds its ETag (warm.h, W2).  One
 * listing of the whole disk would say so of all, a request for each thousand names, before anybody has
 * asked.  So a start lists nothing; the first reader of a kept block waits for the page that its block is
 * on, and that page confirms the thousand around it.  Requests follow what is read, not what is cached.
 *
 * The listing of the disk (survey.c) waits as well, until something is wanted of which nothing is known:
 * lazy_survey_begin().  From then on it does what these pages did.
 *
 *  G1 A page asks from a multiple of PAGE on, in the order of blocks, so it covers at least PAGE blocks,
 *     and all up to the last name on it; or the whole rest of the disk, if the store has no more names.
 *  G2 What was kept in that range and is not on the page, or has another ETag, is given up.
 *  G3 A block that is written or trimmed meanwhile is not kept any more, and no page speaks of it.
 *
 * Only reads wait.  A writer goes on at once and what was kept of his block is given up, as before.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/log.h"
#include "cachemgr/cm.h"
#include "cachemgr/warm.h"

#define PAGE	 1000 /* names on a page of any store that we know of, at most */
#define RETRY_US 30000000

struct held_read {
	STAILQ_ENTRY(held_read) link;
	struct ipc_msg msg;
};

void
page_open(struct cachemgr *cm)
{
	const struct conf *c = cm->env->conf;

	STAILQ_INIT(&cm->held_reads);
	/* Hashed names come in no order, and who asks for the listing gets it. */
	cm->pages = cm->warm != NULL && c->list_blocks && !cm->shared && !c->block_hash_prefix;
	cm->survey_lazy = cm->pages && !conf_is_set(c, CONF_listBlocks) && cm->npending == 0;
}

void
lazy_survey_begin(struct cachemgr *cm)
{
	if (!cm->survey_lazy)
		return;
	cm->survey_lazy = false;
	cm->survey_wanted = true;
}

static bool
start(struct cachemgr *cm, uint32_t from)
{
	struct ipc_msg m = {.type = IPC_LIST,
	    .flags = IPC_F_ETAG | IPC_F_PART,
	    .block = from,
	    .arg = cm->shm->geo.nblocks - from};
	struct xfer *x = sched_start(cm, XFER_PAGE, &m);

	if (x == NULL)
		return (false);
	cm->page_on = true;
	cm->page_from = from;
	cm->page_end = from;
	(void)sched_send(cm, x, &m);
	return (true);
}

bool
page_tells(struct cachemgr *cm, uint32_t block)
{
	if (!cm->pages || cm->survey_on || cm->fenced || !warm_unsure(cm, block))
		return (false);
	if (cm->page_on) /* another page: it does not wait for two */
		return (block >= cm->page_from && block - cm->page_from < PAGE);
	if (cm->now_us < cm->page_retry_us || landing_quiet(cm))
		return (false);
	return (start(cm, block - block % PAGE));
}

bool
page_hold(struct cachemgr *cm, const struct ipc_msg *m)
{
	struct held_read *r;

	if (!page_tells(cm, (uint32_t)m->block) || (r = malloc(sizeof(*r))) == NULL)
		return (false);
	r->msg = *m;
	STAILQ_INSERT_TAIL(&cm->held_reads, r, link);
	return (true);
}

void
page_listed(struct cachemgr *cm, const struct ipc_msg *m)
{
	if (m->arg != 1 || m->block < cm->page_from) {
		ctr_inc(cm->ctr, bad_messages);
		return;
	}
	warm_listed(cm, (uint32_t)m->block, m->etag);
	if (m->block >= cm->page_end)
		cm->page_end = m->block + 1;
}

void
page_done(struct cachemgr *cm, const struct ipc_msg *m)
{
	STAILQ_HEAD(, held_read) work = STAILQ_HEAD_INITIALIZER(work);
	struct held_read *r;

	cm->page_on = false;
	if (m->status < 0) {
		/* Its uploader died: again.  Else readers fetch what they want, for a while. */
		if (m->status != -EAGAIN) {
			log_warn("a page of names could not be had, kept blocks are fetched anew");
			cm->page_retry_us = cm->now_us + RETRY_US;
		}
	} else if ((m->flags & IPC_F_MORE) == 0) {
		warm_drop_unsure(cm, cm->page_from, cm->shm->geo.nblocks);
	} else {
		warm_drop_unsure(cm, cm->page_from, cm->page_end);
		if (cm->page_end - cm->page_from < PAGE) { /* this store has smaller ones */
			cm->pages = false;
			lazy_survey_begin(cm);
		}
	}
	STAILQ_CONCAT(&work, &cm->held_reads);
	while ((r = STAILQ_FIRST(&work)) != NULL) {
		STAILQ_REMOVE_HEAD(&work, link);
		request_block(cm, &r->msg);
		free(r);
	}
}

void
page_forget_reads(struct cachemgr *cm)
{
	struct held_read *r;

	while ((r = STAILQ_FIRST(&cm->held_reads)) != NULL) {
		STAILQ_REMOVE_HEAD(&cm->held_reads, link);
		free(r);
	}
}
