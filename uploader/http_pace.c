/* SPDX-License-Identifier: ISC */
#include "uploader/http_priv.h"

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "uploader/guard.h"

#define DOWN_PIECE 16384 /* libcurl hands out what it received in pieces of this size */

bool
http_pace(struct pacer *p, struct http_request *r, uint64_t now)
{
	struct http *h = p->http;
	uint64_t wait;

	if (r->granted > 0 || (wait = bandwidth_wait(&p->bw, now)) == 0)
		return (true);
	r->paused = p;
	r->pause_began_us = now;
	TAILQ_REMOVE(&h->running, r, link);
	TAILQ_INSERT_TAIL(&p->paused, r, link);
	if (!p->timer.armed)
		loop_timer_set(h->loop, &p->timer, now + wait);
	return (false);
}

void
http_pace_spend(struct pacer *p, struct http_request *r, uint64_t bytes)
{
	/* The grant was spent when it was given: settle the difference, either way. */
	bandwidth_spend(&p->bw, (int64_t)bytes - (int64_t)r->granted);
	r->granted = 0;
}

static void
unpause(struct http *h, struct pacer *p, struct http_request *r, uint64_t now)
{
	TAILQ_REMOVE(&p->paused, r, link);
	TAILQ_INSERT_TAIL(&h->running, r, link);
	r->paused = NULL;
	r->paused_us += now - r->pause_began_us;
	r->progress_us = r->unpaused_us = now;
	(void)curl_easy_pause(r->easy, CURLPAUSE_CONT);
}

static void
pace_timer(void *arg)
{
	struct pacer *p = arg;
	struct http_request *r;
	uint64_t now = now_us(), wait = 0;

	while ((r = TAILQ_FIRST(&p->paused)) != NULL && (wait = bandwidth_wait(&p->bw, now)) == 0) {
		r->granted = p == &p->http->down ? DOWN_PIECE
						 : min_u64(p->http->buffer, r->body_len - r->sent);
		bandwidth_spend(&p->bw, (int64_t)r->granted);
		unpause(p->http, p, r, now);
	}
	if (r != NULL)
		loop_timer_set(p->http->loop, &p->timer, now + wait);
}

void
http_pacer_init(struct http *h, struct pacer *p, uint64_t bps)
{
	p->http = h;
	TAILQ_INIT(&p->paused);
	p->timer.run = pace_timer;
	p->timer.arg = p;
	bandwidth_set(&p->bw, bps, now_us());
}

void
http_limits(struct http *h, uint64_t upload_bps, uint64_t download_bps)
{
	bandwidth_set(&h->up.bw, upload_bps, now_us());
	bandwidth_set(&h->down.bw, download_bps, now_us());
}
