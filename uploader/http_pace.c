/* SPDX-License-Identifier: ISC */
#include "uploader/http_priv.h"

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "uploader/guard.h"

#define DOWN_PIECE 16384 /* libcurl hands out what it received in pieces of this size */

static void
unpause(struct http_request *r, uint64_t now)
{
	TAILQ_REMOVE(r->paused, r, link);
	TAILQ_INSERT_TAIL(&r->http->running, r, link);
	r->paused = NULL;
	r->paused_us += now - r->pause_began_us;
	r->progress_us = r->unpaused_us = now;
	(void)curl_easy_pause(r->easy, CURLPAUSE_CONT);
}

static void
pause_in(
    struct request_list *list, struct http_request *before, struct http_request *r, uint64_t now)
{
	r->paused = list;
	r->pause_began_us = now;
	TAILQ_REMOVE(&r->http->running, r, link);
	if (before != NULL)
		TAILQ_INSERT_BEFORE(before, r, link);
	else
		TAILQ_INSERT_TAIL(list, r, link);
}

static void
own_turn(void *arg)
{
	unpause(arg, now_us());
}

void
http_pace_begin(struct http_request *r, uint64_t now)
{
	const struct http_conf *c = &r->http->conf;

	/* libcurl has such limits, too, but they begin to hold after the first buffer or two. */
	atomic_store(&r->own.bps, r->body_read != NULL ? c->per_upload_bps : c->per_download_bps);
	atomic_store(&r->own.free_ns, now * 1000);
	r->own_timer.run = own_turn;
	r->own_timer.arg = r;
}

bool
http_pace(struct pacer *p, struct http_request *r, uint64_t now)
{
	struct http_request *first;
	uint64_t wait;

	if (r->granted > 0)
		return (true);
	if ((wait = bandwidth_wait(&r->own, now)) > 0) {
		pause_in(&r->http->slowed, NULL, r, now);
		loop_timer_set(r->http->loop, &r->own_timer, now + wait);
		return (false);
	}
	if ((wait = bandwidth_wait(p->limit, now)) == 0)
		return (true);
	/* Somebody waits for this one: before all that nobody waits for. */
	first = TAILQ_FIRST(&p->paused);
	while (first != NULL && (r->background || !first->background))
		first = TAILQ_NEXT(first, link);
	pause_in(&p->paused, first, r, now);
	if (!p->timer.armed)
		loop_timer_set(r->http->loop, &p->timer, now + wait);
	return (false);
}

void
http_pace_spend(struct pacer *p, struct http_request *r, uint64_t bytes, uint64_t now)
{
	/* The grant was spent when it was given: settle the difference, either way. */
	bandwidth_spend(p->limit, now, (int64_t)bytes - (int64_t)r->granted);
	r->granted = 0;
	bandwidth_spend(&r->own, now, (int64_t)bytes);
}

static void
pace_timer(void *arg)
{
	struct pacer *p = arg;
	struct http_request *r;
	uint64_t now = now_us(), wait = 0;

	while (
	    (r = TAILQ_FIRST(&p->paused)) != NULL && (wait = bandwidth_wait(p->limit, now)) == 0) {
		r->granted = p == &p->http->down
				 ? DOWN_PIECE
				 : min_u64(p->http->up_buffer, r->body_len - r->sent);
		bandwidth_spend(p->limit, now, (int64_t)r->granted);
		unpause(r, now);
	}
	if (r != NULL)
		loop_timer_set(p->http->loop, &p->timer, now + wait);
}

void
http_pacer_init(struct http *h, struct pacer *p, struct ipc_limit *limit)
{
	p->http = h;
	p->limit = limit != NULL ? limit : &h->none;
	TAILQ_INIT(&p->paused);
	p->timer.run = pace_timer;
	p->timer.arg = p;
}
