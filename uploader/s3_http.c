/* SPDX-License-Identifier: ISC */
/*
 * s3_http.c -- see s3_http.h.
 *
 * libcurl's event interface (libcurl-multi(3), "multi_socket"): it tells which descriptors to watch
 * and when to call it again; the loop calls curl_multi_socket_action() for what is ready.
 *
 * Memory: a transfer costs its easy handle, a connection, and the buffers chosen here; the bodies
 * themselves never lie in the process.  `buffer_budget` divided by max_transfers gives the buffers.
 */
#include "uploader/s3_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/counters.h"
#include "common/timeutil.h"
#include "uploader/http_priv.h"

#include "uploader/guard.h"

#define SLOWEST_PER_S 4096 /* bytes: an attempt slower than that is given up in the end */
#define CRAWL_PER_S   16   /* and at once, one that hardly moves at all */
#define SWEEP_US      (100 * US_PER_MS)

/* ---- the event interface ------------------------------------------------------------------ */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http *h = arg;
	uint32_t events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	struct http_request *r = NULL;

	(void)socket_arg;
	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r) == CURLE_OK && r != NULL)
		r->fd = what == CURL_POLL_REMOVE ? -1 : fd;
	if (what == CURL_POLL_REMOVE)
		loop_unwatch(h->loop, fd);
	else if (loop_watch(h->loop, h->source, fd, events) < 0)
		return (-1);
	return (0);
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_clear(h->loop, &h->curl_timer);
	else
		loop_timer_set(h->loop, &h->curl_timer, now_us() + (uint64_t)ms * US_PER_MS);
	return (0);
}

/* ---- one request ------------------------------------------------------------------------- */
static int
start(struct http *h, struct http_request *r)
{
	CURL *c = h->nidle > 0 ? h->idle[--h->nidle] : curl_easy_init();
	int error;

	if (c == NULL)
		return (-ENOMEM);
	r->easy = c;
	curl_easy_reset(c);
	(void)curl_easy_setopt(c, CURLOPT_PRIVATE, r);
	http_body_setup(r);
	if ((error = http_setup(h, r)) < 0)
		return (error);
	return (curl_multi_add_handle(h->multi, c) == CURLM_OK ? 0 : -ENOMEM);
}

void
http_submit(struct http *h, struct http_request *r)
{
	memset(&r->reply, 0, sizeof(r->reply));
	r->reply.length = -1;
	r->sent = r->granted = r->paused_us = 0;
	r->paused = NULL;
	r->callback_error = 0;
	r->fd = -1;
	r->http = h;
	r->easy = r->slist = NULL;
	r->started_us = r->progress_us = r->window_us = now_us();
	r->window_bytes = r->unpaused_us = 0;
	http_pace_begin(r, r->started_us);
	if ((r->reply.error = start(h, r)) < 0) {
		TAILQ_INSERT_TAIL(&h->failed, r, link);
		loop_timer_set(h->loop, &h->failed_timer, r->started_us);
		return;
	}
	TAILQ_INSERT_TAIL(&h->running, r, link);
	h->nrunning++;
	atomic_store_explicit(&h->counters->in_flight, h->nrunning, memory_order_relaxed);
	if (!h->sweep.armed)
		loop_timer_set(h->loop, &h->sweep, r->started_us + SWEEP_US);
}

static void
count_transport(struct http *h, int error)
{
	if (error == -ETIMEDOUT)
		ctr_inc(h->counters, timeouts);
	else if (error == -EADDRNOTAVAIL || error == -ECONNREFUSED || error == -EKEYREJECTED ||
		 error == -EPROTO || error == -ENETUNREACH || error == -EHOSTUNREACH)
		ctr_inc(h->counters, connect_failed);
}

static void
take_out(struct http *h, struct http_request *r)
{
	if (r->paused)
		TAILQ_REMOVE(r->paused, r, link);
	else
		TAILQ_REMOVE(&h->running, r, link);
	loop_timer_clear(h->loop, &r->own_timer);
	(void)curl_multi_remove_handle(h->multi, r->easy);
	curl_slist_free_all(r->slist);
	if (h->nidle < h->conf.max_transfers)
		h->idle[h->nidle++] = r->easy;
	else
		curl_easy_cleanup(r->easy);
	r->easy = r->slist = NULL;
	h->nrunning--;
	atomic_store_explicit(&h->counters->in_flight, h->nrunning, memory_order_relaxed);
}

/* Takes the request out of libcurl and hands it back. */
static void
finish(struct http *h, struct http_request *r, int error)
{
	long head_bytes = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &head_bytes);
	r->reply.sent_all = head_bytes > 0 && r->sent >= r->body_len;
	r->reply.error = error;
	if (r->reply.transport[0] == '\0' && error < 0)
		(void)strlcpy(r->reply.transport, strerror(-error), sizeof(r->reply.transport));
	take_out(h, r);
	count_transport(h, error);
	r->done(r);
}

bool
http_cancel(struct http_request *r)
{
	if (r->easy == NULL || r->reply.error < 0) /* it did not even start */
		return (false);
	take_out(r->http, r);
	return (true);
}

static void
collect(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		char *r = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		finish(h, (struct http_request *)(void *)r, http_errno((int)code, (void *)r));
	}
}

static void
on_ready(void *arg, int fd, uint32_t events)
{
	struct http *h = arg;
	int n, mask = (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
		      (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		      (events & EPOLLERR ? CURL_CSELECT_ERR : 0);

	(void)curl_multi_socket_action(h->multi, fd, mask, &n);
	collect(h);
}

static void
on_curl_timer(void *arg)
{
	struct http *h = arg;
	int n;

	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &n);
	collect(h);
}

static void
on_failed(void *arg)
{
	struct http *h = arg;
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	struct http_request *r;

	TAILQ_CONCAT(&list, &h->failed, link);
	while ((r = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, r, link);
		if (r->easy != NULL)
			curl_easy_cleanup(r->easy);
		curl_slist_free_all(r->slist);
		r->easy = r->slist = NULL;
		r->done(r);
	}
}

/* Has it hardly moved for one `timeout`?  Time that our own bandwidth limits took does not count. */
static bool
crawls(const struct http *h, struct http_request *r, uint64_t now)
{
	uint64_t bytes = r->sent + r->reply.received, span = now - r->window_us, moved;

	if (span < h->conf.timeout_us || r->window_us < r->unpaused_us) {
		if (r->window_us < r->unpaused_us) {
			r->window_us = r->unpaused_us;
			r->window_bytes = bytes;
		}
		return (false);
	}
	moved = bytes >= r->window_bytes ? bytes - r->window_bytes : bytes;
	r->window_us = now;
	r->window_bytes = bytes;
	return (moved > 0 && moved < span * CRAWL_PER_S / US_PER_S); /* none at all is silence */
}

/*
 * libcurl's own time limit counts from the start however well a transfer goes.  Ours is for silence;
 * a transfer that crawls gets in addition what its size needs at SLOWEST_PER_S.
 */
static bool
overdue(const struct http *h, struct http_request *r, uint64_t now)
{
	uint64_t bytes = r->body_len + r->expect_len;
	uint64_t whole = h->conf.timeout_us + bytes * US_PER_S / SLOWEST_PER_S;

	if (r->limit_us != 0 && now - r->started_us > r->limit_us)
		return (true);
	return (now - r->progress_us > h->conf.timeout_us || crawls(h, r, now) ||
		now - r->started_us - min_u64(r->paused_us, now - r->started_us) > whole);
}

static void
on_sweep(void *arg)
{
	struct http *h = arg;
	struct http_request *r;
	uint64_t now = now_us();

again:
	TAILQ_FOREACH (r, &h->running, link) {
		if (!overdue(h, r, now))
			continue;
		r->reply.cut_by_us = true;
		(void)snprintf(r->reply.transport, sizeof(r->reply.transport), "%s for %.1f s",
		    now - r->progress_us > h->conf.timeout_us ? "no answer" : "hardly a byte",
		    (double)(now - (now - r->progress_us > h->conf.timeout_us ? r->progress_us
									      : r->started_us)) /
			1e6);
		finish(h, r, -ETIMEDOUT);
		goto again; /* who hears of it may cancel any other */
	}
	if (h->nrunning > 0)
		loop_timer_set(h->loop, &h->sweep, now + SWEEP_US);
}

void
http_forget(struct http_request *r)
{
	free(r->reply.text);
	r->reply.text = NULL;
	r->reply.text_len = 0;
}

/* ---- open and close ---------------------------------------------------------------------- */
static void
timer_init(struct timer *t, void (*run)(void *), void *arg)
{
	t->run = run;
	t->arg = arg;
}

int
http_open(struct loop *loop, const struct http_conf *conf, struct counters *counters,
    struct http **ret_http)
{
	struct http *h;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return (-ENOMEM);
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return (-ENOMEM);
	h->loop = loop;
	h->conf = *conf;
	h->counters = counters;
	h->cacert = conf->cacert != NULL ? strdup(conf->cacert) : NULL;
	h->user_agent = strdup(conf->user_agent);
	h->idle = calloc(conf->max_transfers, sizeof(h->idle[0]));
	/* What is limited for itself goes in small pieces. */
	h->up_buffer = conf->per_upload_bps > 0 || conf->per_download_bps > 0
			   ? BUFFER_MIN
			   : clamp_u64(pow2_floor(conf->buffer_budget / conf->max_transfers + 1),
				 BUFFER_MIN, BUFFER_MAX);
	/* A TLS record has 16 KiB, and comes alone: a larger buffer would stay empty. */
	h->down_buffer = conf->tls ? BUFFER_MIN : h->up_buffer;
	TAILQ_INIT(&h->running);
	TAILQ_INIT(&h->failed);
	TAILQ_INIT(&h->slowed);
	http_pacer_init(h, &h->up, conf->upload);
	http_pacer_init(h, &h->down, conf->download);
	timer_init(&h->curl_timer, on_curl_timer, h);
	timer_init(&h->sweep, on_sweep, h);
	timer_init(&h->failed_timer, on_failed, h);
	h->source = loop_source(loop, on_ready, h);
	if ((h->multi = curl_multi_init()) == NULL || h->idle == NULL) {
		http_close(&h);
		return (-ENOMEM);
	}
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)conf->max_transfers + 4);
	*ret_http = h;
	return (0);
}

void
http_close(struct http **hp)
{
	struct http *h = *hp;
	struct http_request *r;

	if (h == NULL)
		return;
	TAILQ_CONCAT(&h->running, &h->up.paused, link);
	TAILQ_CONCAT(&h->running, &h->down.paused, link);
	TAILQ_CONCAT(&h->running, &h->slowed, link);
	TAILQ_FOREACH (r, &h->running, link) {
		loop_timer_clear(h->loop, &r->own_timer);
		(void)curl_multi_remove_handle(h->multi, r->easy);
		curl_easy_cleanup(r->easy);
		curl_slist_free_all(r->slist);
	}
	while (h->nidle > 0)
		curl_easy_cleanup(h->idle[--h->nidle]);
	if (h->multi != NULL)
		(void)curl_multi_cleanup(h->multi);
	loop_timer_clear(h->loop, &h->curl_timer);
	loop_timer_clear(h->loop, &h->sweep);
	loop_timer_clear(h->loop, &h->failed_timer);
	loop_timer_clear(h->loop, &h->up.timer);
	loop_timer_clear(h->loop, &h->down.timer);
	free(h->cacert);
	free(h->user_agent);
	free(h->idle);
	free(h);
	*hp = NULL;
}
