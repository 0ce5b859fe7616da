/* SPDX-License-Identifier: ISC */
#include "supervisor/scrub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/msg.h"
#include "ipc/shm.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/phase.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define AGAIN_US (200 * US_PER_MS)

/* ---- the result ----------------------------------------------------------------------------- */

json_t *
scrub_json(const struct super *s, bool list)
{
	const struct scrub *u = &s->scrub;
	uint64_t end = u->on ? now_us() : u->ended_us;
	json_t *o, *bad;

	if (!u->on && !u->ever)
		return (NULL);
	o = json_pack("{s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "running", u->on,
	    "repair", u->repair, "cancelled", u->cancelled, "doneBlocks", (json_int_t)u->done,
	    "totalBlocks", (json_int_t)s->shm.geo.nblocks, "read", (json_int_t)u->read, "bad",
	    (json_int_t)u->nbad, "missing", (json_int_t)u->nmissing, "repaired",
	    (json_int_t)u->nrepaired, "seconds", (double)(end - u->began_us) / US_PER_S);
	if (!list)
		return (o);
	bad = json_array();
	for (uint64_t i = 0; i < min_u64(u->nbad, SCRUB_LIST_MAX); i++)
		(void)json_array_append_new(bad,
		    json_pack("{s:I, s:s, s:b}", "block", (json_int_t)u->bad[i].block, "what",
			u->bad[i].missing ? "missing" : "damaged", "repaired", u->bad[i].repaired));
	(void)json_object_set_new(o, "blocks", bad);
	return (o);
}

json_t *
scrub_progress(const struct super *s)
{
	const struct scrub *u = &s->scrub;
	uint64_t size = s->shm.geo.block_size, total = s->shm.geo.nblocks;
	double took = (double)(now_us() - u->began_us) / US_PER_S;
	double left = u->done == 0 ? 0 : took / (double)u->done * (double)(total - u->done);

	return (json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:f, s:I}", "v", CTL_VERSION, "type",
	    "progress", "what", "scrub", "doneBytes", (json_int_t)(u->done * size), "totalBytes",
	    (json_int_t)(total * size), "bytesPerSec",
	    took > 0 ? (json_int_t)((double)(u->read * size) / took) : 0, "leftSec", left, "bad",
	    (json_int_t)u->nbad));
}

static void
finish(struct super *s, bool cancelled)
{
	struct scrub *u = &s->scrub;
	struct client *c;

	u->on = false;
	u->ever = true;
	u->cancelled = cancelled;
	u->ended_us = now_us();
	log_info("scrub %s: objects=%llu bad=%llu missing=%llu repaired=%llu",
	    cancelled ? "cancelled" : "done", (unsigned long long)u->read,
	    (unsigned long long)u->nbad, (unsigned long long)u->nmissing,
	    (unsigned long long)u->nrepaired);
	LIST_FOREACH (c, &s->control->clients, link)
		if (c->wait == WAIT_SCRUB)
			client_ok(c, scrub_json(s, true));
}

/* ---- windows -------------------------------------------------------------------------------- */

static void
note_bad(struct scrub *u, uint64_t block, bool missing, bool repaired)
{
	struct scrub_bad *grown;

	if (u->nbad < SCRUB_LIST_MAX) {
		grown = reallocarray(u->bad, u->nbad + 1, sizeof(*grown));
		if (grown == NULL)
			return;
		u->bad = grown;
		u->bad[u->nbad] = (struct scrub_bad){(uint32_t)block, missing, repaired};
	}
	u->nbad++;
	u->nmissing += missing;
	u->nrepaired += repaired;
}

void
scrub_window_done(struct super *s, void *unused, int status)
{
	const struct ipc_msg *q = s->dialogue.request, *r = s->dialogue.reply;
	struct scrub *u = &s->scrub;
	uint64_t missing, repaired;
	unsigned w = 0;

	(void)unused;
	while (w < SCRUB_WINDOWS && (u->window[w].count == 0 || u->window[w].first != q->block))
		w++;
	if (!u->on || w == SCRUB_WINDOWS)
		return; /* of one that was cancelled */
	if (status == -ESTALE) {
		log_warn("scrub: the disk is fenced, its bucket may be another's now");
		finish(s, true);
		return;
	}
	if (status < 0) {
		u->window[w].again_us = now_us() + AGAIN_US;
		return;
	}
	memcpy(&missing, r->etag, 8);
	memcpy(&repaired, r->etag + 8, 8);
	for (uint32_t i = 0; i < u->window[w].count; i++)
		if ((r->arg >> i & 1) != 0)
			note_bad(u, q->block + i, missing >> i & 1, repaired >> i & 1);
	u->done += u->window[w].count;
	u->read += r->off;
	u->window[w].count = 0;
	if (u->done >= s->shm.geo.nblocks)
		finish(s, false);
}

static bool
is_pending(const struct super *s, uint64_t block)
{
	const struct pending *p;

	TAILQ_FOREACH (p, &s->pending, link)
		if (p->msg.type == IPC_CHECK && p->msg.block == block)
			return (true);
	return (false);
}

uint64_t
scrub_timers(struct super *s, uint64_t now)
{
	struct scrub *u = &s->scrub;
	uint64_t next = TIME_NEVER;

	if (!u->on || s->phase != PHASE_RUNNING)
		return (next);
	for (unsigned w = 0; w < SCRUB_WINDOWS; w++) {
		struct ipc_msg m = {.type = IPC_CHECK, .slot = IPC_NO_SLOT};

		if (u->window[w].count == 0 && u->next < s->shm.geo.nblocks) {
			u->window[w].first = u->next;
			u->window[w].count =
			    (uint32_t)min_u64(IPC_CHECK_MAX, s->shm.geo.nblocks - u->next);
			u->window[w].again_us = 0;
			u->next += u->window[w].count;
		}
		if (u->window[w].count == 0 || is_pending(s, u->window[w].first))
			continue;
		if (u->window[w].again_us > now) {
			next = min_u64(next, u->window[w].again_us);
			continue;
		}
		m.block = u->window[w].first;
		m.arg = u->window[w].count;
		m.flags = u->repair ? IPC_F_REPAIR : 0;
		(void)command_send(s, m, scrub_window_done, NULL);
	}
	return (next);
}

/* ---- the command ---------------------------------------------------------------------------- */

static void
begin(struct super *s, bool repair)
{
	struct scrub *u = &s->scrub;

	scrub_free(s);
	*u = (struct scrub){.on = true, .repair = repair, .began_us = now_us()};
	log_info("scrub begins: blocks=%llu repair=%s", (unsigned long long)s->shm.geo.nblocks,
	    repair ? "yes" : "no");
}

void
scrub_op(struct client *c, json_t *req)
{
	struct super *s = c->super;
	bool repair = json_is_true(json_object_get(req, "repair"));

	if (json_is_true(json_object_get(req, "cancel"))) {
		if (!s->scrub.on) {
			client_error(c, EXIT_FAILED, "scrub: none is under way");
			return;
		}
		finish(s, true);
		client_ok(c, scrub_json(s, true));
		return;
	}
	if (s->phase != PHASE_RUNNING)
		client_error(c, EXIT_FAILED, "scrub: the disk is %s", phase_name(s));
	else if (repair && s->conf->read_only)
		client_error(c, EXIT_FAILED, "scrub --repair: the disk is read-only");
	else if (repair && s->conf->shared_disk_mode)
		client_error(c, EXIT_FAILED,
		    "scrub --repair: with sharedDiskMode no copy in the cache is to be believed");
	else if (s->scrub.on && repair && !s->scrub.repair)
		client_error(c, EXIT_FAILED,
		    "scrub: one without --repair is under way (s3backerctl scrub --cancel ends "
		    "it)");
	else {
		if (!s->scrub.on)
			begin(s, repair);
		c->wait = WAIT_SCRUB;
		c->progress_us = 0;
	}
}

/* ---- from one s3backerd to the next --------------------------------------------------------- */

json_t *
scrub_letter(const struct super *s)
{
	const struct scrub *u = &s->scrub;
	json_t *o = json_pack("{s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "on",
		   u->on, "ever", u->ever, "repair", u->repair, "cancelled", u->cancelled, "next",
		   (json_int_t)u->next, "done", (json_int_t)u->done, "read", (json_int_t)u->read,
		   "nbad", (json_int_t)u->nbad, "nmissing", (json_int_t)u->nmissing, "nrepaired",
		   (json_int_t)u->nrepaired, "began", (json_int_t)u->began_us, "ended",
		   (json_int_t)u->ended_us),
	       *windows = json_array(), *bad = json_array();

	for (unsigned w = 0; w < SCRUB_WINDOWS; w++)
		(void)json_array_append_new(
		    windows, json_pack("[I, I]", (json_int_t)u->window[w].first,
				 (json_int_t)u->window[w].count));
	for (uint64_t i = 0; i < min_u64(u->nbad, SCRUB_LIST_MAX); i++)
		(void)json_array_append_new(bad, json_pack("[I, b, b]", (json_int_t)u->bad[i].block,
						     u->bad[i].missing, u->bad[i].repaired));
	(void)json_object_set_new(o, "windows", windows);
	(void)json_object_set_new(o, "bad", bad);
	return (o);
}

void
scrub_read_letter(struct super *s, json_t *o)
{
	struct scrub *u = &s->scrub;
	json_int_t n[8] = {0}, first, count;
	int on = 0, ever = 0, repair = 0, cancelled = 0, missing, repaired;
	json_t *e;
	size_t i;

	if (json_unpack(o, "{s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "on",
		&on, "ever", &ever, "repair", &repair, "cancelled", &cancelled, "next", &n[0],
		"done", &n[1], "read", &n[2], "nbad", &n[3], "nmissing", &n[4], "nrepaired", &n[5],
		"began", &n[6], "ended", &n[7]) < 0)
		return; /* of a version that had no scrub */
	*u = (struct scrub){.on = on,
	    .ever = ever,
	    .repair = repair,
	    .cancelled = cancelled,
	    .next = (uint64_t)n[0],
	    .done = (uint64_t)n[1],
	    .read = (uint64_t)n[2],
	    .began_us = (uint64_t)n[6],
	    .ended_us = (uint64_t)n[7]};
	json_array_foreach(json_object_get(o, "windows"), i, e)
	{
		if (i < SCRUB_WINDOWS && json_unpack(e, "[I, I]", &first, &count) == 0) {
			u->window[i].first = (uint64_t)first;
			u->window[i].count = (uint32_t)count;
		}
	}
	json_array_foreach(json_object_get(o, "bad"), i, e)
	{
		if (json_unpack(e, "[I, b, b]", &first, &missing, &repaired) == 0)
			note_bad(u, (uint64_t)first, missing, repaired);
	}
	u->nbad = max_u64(u->nbad, (uint64_t)n[3]);
	u->nmissing = (uint64_t)n[4];
	u->nrepaired = (uint64_t)n[5];
}

void
scrub_free(struct super *s)
{
	free(s->scrub.bad);
	s->scrub = (struct scrub){.on = false};
}
