/* SPDX-License-Identifier: ISC */
/*
 * send.c -- the reply goes out (see send.h).
 *
 * The common case hands the stored bytes to libmicrohttpd, which sends from them.  Only when a rate
 * or a fault in the body is asked for are they read through stream_read(), which gives a piece when
 * its time has come and suspends the connection until then.
 */
#include "tests/server/send.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/server/cond.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/request.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"

#define NEVER UINT64_MAX

struct stream {
	struct MHD_Connection *conn;
	struct body *body;
	size_t off, len;
	uint64_t stop_at, reset_at, stall_at; /* positions in the body; NEVER */
	uint64_t stall_us;
	uint64_t give_up_us; /* for bytes announced that will never come; 0: not there yet */
	struct pace slow;
	size_t piece;	 /* most bytes at once */
	size_t reserved; /* bytes waited for */
	uint64_t ready_us;
};

static void
reset_socket(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr sa = {.sa_family = AF_UNSPEC};

	/* Dissolving the association sends an RST now; closing would send a FIN. */
	if (info != NULL)
		connect(info->connect_fd, &sa, sizeof(sa));
}

void
send_reset(struct request *rq)
{
	reset_socket(rq->conn);
}

static void
resume(void *arg)
{
	MHD_resume_connection(arg);
}

static ssize_t
wait_until(struct stream *s, uint64_t when_us)
{
	MHD_suspend_connection(s->conn);
	timer_at(when_us, resume, s->conn);
	return (0);
}

/*
 * The client waits for bytes that do not exist.  A suspended connection does not see its peer go,
 * so look now and then.
 */
static ssize_t
never_come(struct stream *s)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(s->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	char c;

	if (s->give_up_us == 0)
		s->give_up_us = now_us() + 60 * 1000000;
	if (info == NULL || recv(info->connect_fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ||
	    now_us() > s->give_up_us || timer_stopping())
		return (MHD_CONTENT_READER_END_WITH_ERROR);
	return (wait_until(s, now_us() + 50000));
}

static ssize_t
stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = cls;
	uint64_t slow_us, now, limit = s->len;

	if (pos >= s->reset_at) {
		reset_socket(s->conn);
		return (MHD_CONTENT_READER_END_WITH_ERROR);
	}
	if (pos >= s->stop_at)
		return (MHD_CONTENT_READER_END_WITH_ERROR);
	if (pos >= s->stall_at) {
		s->stall_at = NEVER;
		if (!timer_stopping())
			return (wait_until(s, now_us() + s->stall_us));
	}
	if (pos >= s->len)
		return (never_come(s));
	limit = s->stop_at < limit ? s->stop_at : limit;
	limit = s->reset_at < limit ? s->reset_at : limit;
	limit = s->stall_at < limit ? s->stall_at : limit;
	if (s->reserved == 0) {
		s->reserved = limit - pos < s->piece ? limit - pos : s->piece;
		s->reserved = s->reserved < max ? s->reserved : max;
		s->ready_us = pace_reserve(&settings.down, s->reserved);
		slow_us = pace_reserve(&s->slow, s->reserved);
		s->ready_us = slow_us > s->ready_us ? slow_us : s->ready_us;
	}
	now = now_us();
	if (now < s->ready_us && !timer_stopping())
		return (wait_until(s, s->ready_us));
	max = s->reserved;
	s->reserved = 0;
	memcpy(buf, s->body->data + s->off + pos, max);
	return ((ssize_t)max);
}

static void
stream_free(void *cls)
{
	struct stream *s = cls;

	body_unref(s->body);
	free(s);
}

/* A fiftieth of a second at the lower of two rates. */
static size_t
piece_of(uint64_t a, uint64_t b)
{
	uint64_t rate = a == 0 || (b != 0 && b < a) ? b : a;

	if (rate == 0 || rate / 50 > 65536)
		return (65536);
	return (rate < 50 ? 1 : (size_t)(rate / 50));
}

static bool
needs_stream(const struct request *rq)
{
	const struct fault *f = &rq->fault;

	if (rq->reply.len == 0 || strcmp(rq->method, "HEAD") == 0 || rq->admin)
		return (false);
	return (settings.down.rate != 0 || f->truncate >= 0 || f->reset == RESET_BODY ||
		f->slow != 0 || f->stall_body_us != 0 || f->wrong_length > 0);
}

/* Takes the body. */
static struct MHD_Response *
stream_response(struct request *rq)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	const struct fault *f = &rq->fault;

	s->conn = rq->conn;
	s->body = rq->reply.body;
	rq->reply.body = NULL;
	s->off = rq->reply.off;
	s->len = rq->reply.len;
	s->stop_at = f->truncate >= 0 ? (uint64_t)f->truncate : NEVER;
	s->reset_at = f->reset == RESET_BODY ? s->len / 2 : NEVER;
	s->stall_at = f->stall_body_us != 0 ? s->len / 2 : NEVER;
	s->stall_us = f->stall_body_us;
	s->slow.rate = f->slow;
	s->piece = piece_of(settings.down.rate, f->slow);
	if (s->stop_at < s->len)
		rq->bytes_out = s->stop_at;
	if (s->reset_at < s->len)
		rq->bytes_out = s->reset_at;
	return (MHD_create_response_from_callback(
	    s->len + (uint64_t)f->wrong_length, 65536, stream_read, s, stream_free));
}

static void
drop_body(void *cls)
{
	body_unref(cls);
}

static struct MHD_Response *
plain_response(struct request *rq)
{
	struct body *body = rq->reply.body;

	rq->reply.body = NULL;
	if (body == NULL)
		return (MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
	return (MHD_create_response_from_buffer_with_free_callback_cls(
	    rq->reply.len, body->data + rq->reply.off, drop_body, body));
}

/* Noise of the same length, the same for the same object. */
static void
make_garbage(struct request *rq)
{
	struct body *b = body_new(rq->reply.len);
	uint64_t x = opt.seed * 2 + 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < rq->reply.len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		b->data[i] = (char)x;
	}
	b->len = rq->reply.len;
	body_unref(rq->reply.body);
	rq->reply.body = b;
	rq->reply.off = 0;
}

static void
harm(struct request *rq)
{
	if (rq->fault.garbage && rq->op != OP_PUT && rq->reply.len > 0)
		make_garbage(rq);
	if (rq->fault.short_body)
		rq->reply.len /= 2;
	if (rq->fault.wrong_length < 0) {
		uint64_t less = (uint64_t)-rq->fault.wrong_length;

		rq->reply.len -= less < rq->reply.len ? less : rq->reply.len;
		rq->fault.wrong_length = 0;
	}
}

static void
add_headers(struct request *rq, struct MHD_Response *r)
{
	char text[40];

	/* The server's clock may be wrong on purpose, so the date is ours to write. */
	date_http((time_t)request_clock(rq), text);
	MHD_add_response_header(r, "Date", text);
	snprintf(text, sizeof(text), "%016llX", (unsigned long long)rq->seq);
	MHD_add_response_header(r, "x-amz-request-id", text);
	MHD_add_response_header(r, "Server", "s3testd");
	for (int i = 0; i < rq->reply.nhdr; i++) {
		const char *value = rq->reply.hdr[i].value;
		char bad[40];

		if (rq->fault.bad_etag && strcasecmp(rq->reply.hdr[i].name, "ETag") == 0) {
			snprintf(bad, sizeof(bad), "%s", value);
			bad[1] = bad[1] == '0' ? '1' : '0';
			value = bad;
		}
		/* libmicrohttpd refuses empty values; a header without one is not sent. */
		MHD_add_response_header(r, rq->reply.hdr[i].name, value);
	}
	if (rq->fault.retry_after_s != 0) {
		snprintf(text, sizeof(text), "%d", rq->fault.retry_after_s);
		MHD_add_response_header(r, "Retry-After", text);
	}
}

enum MHD_Result
send_reply(struct request *rq)
{
	struct MHD_Response *r;
	enum MHD_Result result;

	harm(rq);
	rq->bytes_out = strcmp(rq->method, "HEAD") == 0 ? 0 : rq->reply.len;
	r = needs_stream(rq) ? stream_response(rq) : plain_response(rq);
	if (r == NULL)
		return (MHD_NO);
	add_headers(rq, r);
	if (!rq->admin)
		reqlog_request(rq);
	result = MHD_queue_response(rq->conn, (unsigned)rq->reply.status, r);
	MHD_destroy_response(r);
	return (result);
}
