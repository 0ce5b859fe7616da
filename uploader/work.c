/* SPDX-License-Identifier: ISC */
/*
 * work.c -- what requests of every kind have in common: pauses, the budget, the one DONE.
 *
 *	 begin --> attempt --ok----------------------> [settle] --> done
 *	             ^  |                                            ^
 *	             |  +--failed--> pausing --(give up, leaving)----+
 *	             +------------------+
 *
 * While the store is away everybody pauses; the budget lets a few attempts through each second, and
 * the first that succeeds wakes the others.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/counters.h"
#include "common/inject.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "uploader/etag.h"
#include "uploader/fence.h"
#include "uploader/uploader.h"

#include "uploader/guard.h"

#define TRIES_TO_WARN  6 /* of one request; otherwise only the first failure of many is news */
#define ALONE_SOONER   16
#define WAKE_SPREAD_US (200 * US_PER_MS) /* over which those who waited for the store come back */

static const char *
kind_name(const struct work *w)
{
	return (ipc_type_name(w->msg.type));
}

static void
count_retry(struct work *w, bool given_up)
{
	struct counters *c = w->up->env->counters;

	switch (w->msg.type) {
	case IPC_GET:
	case IPC_CHECK:
		given_up ? ctr_inc(c, get_failed) : ctr_inc(c, get_retried);
		break;
	case IPC_PUT:
		given_up ? ctr_inc(c, put_failed) : ctr_inc(c, put_retried);
		break;
	case IPC_DELETE:
		given_up ? ctr_inc(c, delete_failed) : ctr_inc(c, delete_retried);
		break;
	case IPC_LIST:
		given_up ? ctr_inc(c, list_failed) : ctr_inc(c, list_retried);
		break;
	default:
		break;
	}
}

static void
count_cause(struct counters *c, enum fail f)
{
	switch (f) {
	case FAIL_THROTTLED:
		ctr_inc(c, retry_throttled);
		break;
	case FAIL_BAD_REPLY:
		ctr_inc(c, retry_bad_reply);
		break;
	case FAIL_CLOCK:
		ctr_inc(c, retry_clock);
		break;
	case FAIL_REGION:
		ctr_inc(c, retry_region);
		break;
	case FAIL_EXPIRED:
	case FAIL_DENIED:
	case FAIL_PERMANENT:
		ctr_inc(c, retry_denied);
		break;
	default:
		ctr_inc(c, retry_transient);
		break;
	}
}

static bool
reads(const struct work *w)
{
	return (w->msg.type == IPC_GET || w->msg.type == IPC_LIST || w->msg.type == IPC_CHECK);
}

static struct way *
way_of(const struct work *w)
{
	return (&w->up->way[reads(w) ? POOL_READS : POOL_CHANGES]);
}

static const struct retry_policy *
policy(const struct work *w)
{
	const struct uploader *up = w->up;

	if (w->msg.type == IPC_TOKEN)
		return (&up->token_policy);
	return (reads(w) ? &up->get_policy : &up->change_policy);
}

/* How long must it yet wait for a store that is away?  0: go. */
static uint64_t
wait_for_store(struct work *w)
{
	struct uploader *up = w->up;
	const struct way *way = way_of(w);
	uint64_t now = now_us(), wait;

	/* One request in many seconds is a probe anyway, and the lease ends whatever we do. */
	if (w->msg.type == IPC_TOKEN || up->leaving)
		return (0);
	if (!INJECT_FAIL("mutate.outage-storm") && (wait = retry_outage_take(way->outage, now)) > 0)
		return (wait);
	w->probe = retry_outage_on(way->outage);
	/* The budget is for a store that is away; who was unlucky while others were not just goes on. */
	return (way->failing && !w->probe ? retry_budget_take(way->outage, now) : 0);
}

/* It has waited long enough, in sum, without having got to try again. */
static void
give_up(struct work *w)
{
	const struct way *way = way_of(w);

	count_retry(w, true);
	log_err(0, "%s failed: block=%" PRIu64 " tries=%u: %s", kind_name(w), w->msg.block,
	    w->retry.tries, w->up->env->me->words);
	work_done(w, way->last_error < 0 ? way->last_error : -EIO, 0, 0, NULL);
}

static void
end_pause(void *arg)
{
	struct work *w = arg;
	const struct retry_policy *p = policy(w);
	uint64_t wait = wait_for_store(w);

	if (wait == 0) {
		w->pausing = false;
		w->attempt(w);
		return;
	}
	if (p->give_up_us > 0 && w->retry.paused_us >= p->give_up_us) {
		w->pausing = false;
		give_up(w);
		return;
	}
	/* Not all at the moment of the next token. */
	wait += arc4random_uniform(50000);
	if (p->give_up_us > 0)
		wait = min_u64(wait, p->give_up_us - w->retry.paused_us);
	w->retry.paused_us += wait;
	loop_timer_set(&w->up->loop, &w->timer, now_us() + wait);
}

void
work_begin(struct work *w, void (*attempt)(struct work *))
{
	w->attempt = attempt;
	if (!retry_outage_on(way_of(w)->outage)) {
		attempt(w);
		return;
	}
	w->pausing = true;
	loop_timer_set(&w->up->loop, &w->timer, now_us());
}

void
work_init(struct uploader *up, struct work *w, const struct ipc_msg *m)
{
	w->up = up;
	w->msg = *m;
	w->begun_us = now_us();
	w->timer.run = end_pause;
	w->timer.arg = w;
	TAILQ_INSERT_TAIL(&up->work, w, link);
	up->nwork++;
}

static void
log_failure(const struct work *w, const struct store_reply *r, bool given_up, uint64_t pause_us)
{
	if (given_up)
		log_err(0, "%s failed: block=%" PRIu64 " tries=%u: %s", kind_name(w), w->msg.block,
		    w->retry.tries + 1, r->why);
	else if (!fail_heals(r->fail))
		/* The same line for every block: the log holds repeats back, the user reads it once. */
		log_err(0, "the store refuses %s: %s", kind_name(w), r->why);
	else if (!way_of(w)->failing || w->retry.tries == TRIES_TO_WARN)
		log_warn("%s failed, will retry: block=%" PRIu64 " try=%u wait_ms=%" PRIu64 ": %s",
		    kind_name(w), w->msg.block, w->retry.tries, pause_us / US_PER_MS, r->why);
	else
		log_debug("%s failed again: block=%" PRIu64 " try=%u wait_ms=%" PRIu64 ": %s",
		    kind_name(w), w->msg.block, w->retry.tries, pause_us / US_PER_MS, r->why);
}

/* For the outage every failure counts but those of one object. */
static void
note_failure(struct work *w, const struct store_reply *r)
{
	struct way *way = way_of(w);
	uint64_t now = now_us();

	way->failing = true;
	if (w->probe)
		retry_outage_answered(way->outage, now);
	w->probe = false;
	if (r->fail == FAIL_DATA || r->object_bad || r->healed)
		return;
	way->last_error = fail_errno(r->fail, r->http, r->error);
	if (retry_outage_failure(way->outage, now))
		log_warn("the store %s, asking once a second from now on: %s",
		    reads(w) ? "serves no reads" : "takes no changes", r->why);
}

void
work_failed(struct work *w, const struct store_reply *r)
{
	struct uploader *up = w->up;
	const struct retry_policy *p = policy(w);
	uint64_t pause = 0;
	bool again, alone = !way_of(w)->failing;

	if (r->unknown)
		w->unknown = true;
	if (r->may_land)
		w->land_us = now_us() + up->settle_us;
	note_failure(w, r);
	/* For the status page, and for the obituary should we die of it. */
	(void)strlcpy(up->env->me->words, r->why, sizeof(up->env->me->words));
	if (r->error == FENCE_ERROR && work_fenced(w))
		return;
	again = r->fail != FAIL_DATA && !up->leaving && !INJECT_FAIL("mutate.p5-no-patience") &&
		retry_next(&w->retry, p, r->fail, r->retry_after_us, arc4random(), &pause);
	count_retry(w, !again);
	if (again)
		count_cause(up->env->counters, r->fail);
	/* One GET that was refused while others succeed: somebody waits for it, and once more is no storm. */
	if (alone && w->msg.type == IPC_GET && w->retry.tries == 1 && r->retry_after_us == 0)
		pause /= ALONE_SOONER;
	if (r->healed && again)
		pause = 0;
	else
		log_failure(w, r, !again, pause);
	if (!again) {
		work_done(w, fail_errno(r->fail, r->http, r->error), 0, 0, NULL);
		return;
	}
	w->pausing = true;
	loop_timer_set(&up->loop, &w->timer, now_us() + pause);
}

/* The store is back, one way at least, and that mostly means both: who sleeps for long need not. */
static void
wake_others(struct uploader *up)
{
	uint64_t now = now_us();
	struct work *w;

	TAILQ_FOREACH (w, &up->work, link)
		if (w->pausing && w->timer.when > now + WAKE_SPREAD_US)
			loop_timer_set(
			    &up->loop, &w->timer, now + arc4random_uniform(WAKE_SPREAD_US));
}

void
work_succeeded(struct work *w)
{
	struct way *way = way_of(w);
	uint64_t lasted = retry_outage_success(way->outage, now_us());

	w->probe = false;
	if (lasted > 0)
		log_info("the store %s again: outage_s=%" PRIu64,
		    reads(w) ? "serves reads" : "takes changes", lasted / US_PER_S);
	if (w->up->env->me->words[0] != '\0')
		w->up->env->me->words[0] = '\0';
	if (way->failing) {
		way->failing = false;
		log_debug("the store answers again");
		wake_others(w->up);
	}
}

void
work_look_around(struct uploader *up)
{
	for (unsigned i = 0; i < POOL_WAYS; i++) {
		struct way *way = &up->way[i];
		uint32_t ended = atomic_load(&way->outage->ended);

		if (ended == way->outages_seen)
			continue;
		way->outages_seen = ended;
		way->failing = false;
		wake_others(up);
	}
}

void
work_done(struct work *w, int status, uint16_t flags, uint64_t arg, const char *etag)
{
	struct ipc_msg m = w->msg;

	m.type = IPC_DONE;
	/* Who gives up, or leaves, may leave something on its way. */
	m.flags = flags | (status < 0 && w->land_us > now_us() ? IPC_F_VERIFY : 0);
	m.status = status;
	m.arg = arg;
	memset(m.etag, 0, sizeof(m.etag));
	if (etag != NULL)
		(void)etag_bytes(etag, m.etag);
	peer_send(w->up, &m);
	loop_timer_clear(&w->up->loop, &w->timer);
	TAILQ_REMOVE(&w->up->work, w, link);
	w->up->nwork--;
	w->ended(w);
}

void
work_leave(struct uploader *up)
{
	struct work *w, *next;

	TAILQ_FOREACH_SAFE (w, &up->work, link, next)
		if (w->pausing && w != up->deleting)
			work_done(w, -ECANCELED, 0, 0, NULL);
}

/* Only what is pausing: an attempt in flight is nearly as quick to finish as to cut. */
void
work_cancel(struct uploader *up, uint64_t req_id)
{
	struct work *w;

	TAILQ_FOREACH (w, &up->work, link) {
		if (w->msg.req_id == req_id && w->pausing && w != up->deleting) {
			work_done(w, -ECANCELED, 0, 0, NULL);
			return;
		}
	}
}

static void
end_settling(void *arg)
{
	struct work *w = arg;

	w->timer.run = end_pause;
	w->attempt(w);
}

bool
work_settle(struct work *w, void (*then)(struct work *))
{
	if (w->land_us <= now_us())
		return (false);
	w->attempt = then;
	w->timer.run = end_settling;
	loop_timer_set(&w->up->loop, &w->timer, w->land_us);
	return (true);
}

static void
give_back(struct work *w)
{
	work_done(w, -EAGAIN, 0, 0, NULL);
}

/* What an earlier attempt may yet do is waited for: nothing of ours lands after the DONE. */
bool
work_fenced(struct work *w)
{
	if (!fence_closed(w->up->env->state))
		return (false);
	log_debug("the lease is over, not sent: %s block=%" PRIu64, kind_name(w), w->msg.block);
	w->pausing = false;
	if (!work_settle(w, give_back))
		give_back(w);
	return (true);
}
