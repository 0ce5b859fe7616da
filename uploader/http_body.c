/* SPDX-License-Identifier: ISC */
/*
 * http_body.c -- what goes out and comes in: the callbacks of libcurl for headers and bodies.
 *
 * Each is called on the main thread, from curl_multi_socket_action(), for one request.
 */
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/timeutil.h"
#include "uploader/http_priv.h"
#include "uploader/http_reply.h"

#include "uploader/guard.h"

/*
 * A server that sends the headers of a reply on their own and has left Nagle's algorithm on (Ceph RGW
 * as it is installed) keeps the body back until they are acknowledged, which Linux puts off for
 * 40 ms (tcp(7), TCP_QUICKACK; it does not last, so it is said for each reply).
 */
static void
acknowledge(const struct http_request *r)
{
	int one = 1;

	if (r->fd >= 0)
		(void)setsockopt(r->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static bool
ends_headers(const char *data, size_t len)
{
	return (len > 0 && len <= 2 && data[0] == (len == 2 ? '\r' : '\n'));
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;

	r->progress_us = now_us();
	http_reply_line(&r->reply, data, size * n);
	if (ends_headers(data, size * n) && r->reply.status >= 200)
		acknowledge(r);
	return (size * n);
}

static void
keep_text(struct http_reply *reply, const char *data, size_t len)
{
	if (reply->text == NULL && (reply->text = malloc(HTTP_TEXT_MAX + 1)) == NULL)
		return;
	len = min_u64(len, HTTP_TEXT_MAX - reply->text_len);
	memcpy(reply->text + reply->text_len, data, len);
	reply->text_len += len;
	reply->text[reply->text_len] = '\0';
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	struct http *h = r->http;
	uint64_t now = now_us();

	n *= size;
	if (!http_pace(&h->down, r, now))
		return (CURL_WRITEFUNC_PAUSE);
	http_pace_spend(&h->down, r, n, now);
	r->progress_us = now;
	r->reply.received += n;
	if (r->body_write == NULL || r->reply.status < 200 || r->reply.status > 299) {
		keep_text(&r->reply, data, n);
		return (n);
	}
	r->callback_error = r->body_write(r, data, n);
	return (r->callback_error < 0 ? CURL_WRITEFUNC_ERROR : n);
}

static size_t
on_send(char *buf, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	struct http *h = r->http;
	uint64_t now = now_us();

	n = min_u64(n * size, r->body_len - r->sent);
	if (n == 0)
		return (0);
	if (!http_pace(&h->up, r, now))
		return (CURL_READFUNC_PAUSE);
	if ((r->callback_error = r->body_read(r, r->sent, buf, n)) < 0)
		return (CURL_READFUNC_ABORT);
	http_pace_spend(&h->up, r, n, now);
	r->progress_us = now;
	r->sent += n;
	return (n);
}

/* A kept-alive connection turned out to be dead: libcurl sends the body again on a new one. */
static int
on_rewind(void *arg, curl_off_t off, int origin)
{
	struct http_request *r = arg;

	if (origin != SEEK_SET || off < 0 || (uint64_t)off > r->body_len)
		return (CURL_SEEKFUNC_FAIL);
	if (r->sent == r->body_len)
		r->reply.replayed = true;
	r->sent = (uint64_t)off;
	return (CURL_SEEKFUNC_OK);
}

void
http_body_setup(struct http_request *r)
{
	CURL *c = r->easy;

	(void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
	(void)curl_easy_setopt(c, CURLOPT_READDATA, r);
	(void)curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_rewind);
	(void)curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
}
