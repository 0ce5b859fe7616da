/* SPDX-License-Identifier: ISC */
/*
 * http.c -- the HTTP side (see http.h).
 *
 * No thread ever waits: latency, stalls and bandwidth suspend the connection and leave a timer that
 * resumes it, upon which libmicrohttpd calls on_request() again.
 */
#include "tests/server/http.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <microhttpd.h>

#include "tests/server/admin.h"
#include "tests/server/aws.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/request.h"
#include "tests/server/s3.h"
#include "tests/server/send.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"

#define BODY_LIMIT  (1ull << 30) /* largest body taken */
#define CONNECTIONS 16384

static struct MHD_Daemon *daemons[2];
static int ndaemons;

static void
resume(void *arg)
{
	MHD_resume_connection(arg);
}

/* A `late` fault: the client may be gone, the operation happens all the same. */
static void
execute_late(void *arg)
{
	struct request *rq = arg;

	s3_execute(rq);
	MHD_resume_connection(rq->conn);
}

static void
suspend_until(struct request *rq, uint64_t when_us, void (*fn)(void *), void *arg)
{
	MHD_suspend_connection(rq->conn);
	timer_at(when_us, fn, arg);
}

static const char *
usual_code(int status)
{
	static const struct {
		int status;
		const char *code;
	} list[] = {{400, "BadRequest"}, {401, "Unauthorized"}, {403, "AccessDenied"},
	    {404, "NoSuchKey"}, {405, "MethodNotAllowed"}, {408, "RequestTimeout"},
	    {409, "OperationAborted"}, {412, "PreconditionFailed"}, {429, "TooManyRequests"},
	    {500, "InternalError"}, {501, "NotImplemented"}, {503, "SlowDown"}};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i].status == status)
			return (list[i].code);
	}
	return ("InternalError");
}

/* The answer a fault puts in the place of the real one; false: none. */
static bool
fault_answer(struct request *rq)
{
	const struct fault *f = &rq->fault;

	if (f->error_200)
		reply_error(rq, 200, f->code[0] ? f->code : "InternalError",
		    "We encountered an internal error. Please try again.", NULL);
	else if (f->status == 304 || f->status == 204)
		reply_empty(rq, f->status);
	else if (f->status != 0)
		reply_error(rq, f->status, f->code[0] ? f->code : usual_code(f->status),
		    "This error was asked for by a fault rule.", NULL);
	return (f->error_200 || f->status != 0);
}

static enum MHD_Result
cut(struct request *rq)
{
	rq->phase = PHASE_DONE;
	reply_empty(rq, 0);
	reqlog_request(rq);
	send_reset(rq);
	return (MHD_NO);
}

static enum MHD_Result
finish(struct request *rq)
{
	if (rq->fault.reset == RESET_AFTER)
		return (cut(rq));
	rq->phase = PHASE_DONE;
	return (send_reply(rq));
}

static enum MHD_Result
execute(struct request *rq)
{
	rq->phase = PHASE_DONE;
	if (rq->admin) {
		admin_execute(rq);
		return (send_reply(rq));
	}
	if (rq->aws) {
		aws_execute(rq);
		return (send_reply(rq));
	}
	if (rq->fault.reset == RESET_BEFORE)
		return (cut(rq));
	if (fault_answer(rq))
		return (finish(rq));
	if (rq->fault.late_us != 0 && !timer_stopping()) {
		suspend_until(rq, now_us() + rq->fault.late_us, execute_late, rq);
		return (MHD_YES);
	}
	s3_execute(rq);
	return (finish(rq));
}

/* Latency: the middle of the range is what was asked for. */
static uint64_t
latency_us(const struct request *rq)
{
	uint64_t jitter = settings.jitter_us, base = settings.latency_us;
	uint64_t z = (rq->seq + opt.seed) * 0x9e3779b97f4a7c15;

	if (jitter == 0)
		return (base);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z ^= z >> 31;
	return ((base > jitter ? base - jitter : 0) + z % (2 * jitter + 1));
}

/* The body is in. */
static enum MHD_Result
received(struct request *rq)
{
	uint64_t wait = rq->admin ? 0 : latency_us(rq) + rq->fault.stall_us;

	rq->phase = PHASE_READY;
	if (wait == 0 || timer_stopping())
		return (execute(rq));
	suspend_until(rq, rq->start_us + wait, resume, rq->conn);
	return (MHD_YES);
}

static enum MHD_Result
take(struct request *rq, const char *data, size_t *len)
{
	struct body *b = rq->body;
	uint64_t when;

	if (b == NULL)
		rq->body = b = body_new(rq->expected ? rq->expected : 65536);
	if (b->len + *len > BODY_LIMIT)
		return (MHD_NO);
	if (b->len + *len > b->cap) {
		b->cap = (b->len + *len) * 2;
		b->data = xrealloc(b->data, b->cap);
	}
	memcpy(b->data + b->len, data, *len);
	b->len += *len;
	if (rq->admin) {
		*len = 0;
		return (MHD_YES);
	}
	if (rq->fault.reset == RESET_BODY && b->len >= rq->expected / 2 &&
	    strcmp(rq->method, "GET") != 0)
		return (cut(rq));
	when = pace_reserve(&settings.up, *len);
	if (rq->fault.slow != 0 && rq->op == OP_PUT) {
		uint64_t slow = now_us() + *len * 1000000 / rq->fault.slow;

		when = slow > when ? slow : when;
	}
	*len = 0;
	/* Under a millisecond is made up for at the next piece. */
	if (when > now_us() + 1000 && !timer_stopping())
		suspend_until(rq, when, resume, rq->conn);
	return (MHD_YES);
}

static enum MHD_Result
begin(struct request *rq, struct MHD_Connection *conn, const char *method, bool admin_only)
{
	request_headers(rq, conn, method);
	rq->phase = PHASE_BODY;
	if (!rq->admin)
		stats_enter();
	if (admin_only && !rq->admin) {
		reply_error(rq, 404, "NoSuchKey", "Only /_s3testd/ lives on this port.", NULL);
		rq->phase = PHASE_DONE;
		return (send_reply(rq));
	}
	if (rq->expected > BODY_LIMIT) {
		reply_error(rq, 400, "EntityTooLarge",
		    "Your proposed upload exceeds the maximum allowed size", NULL);
		rq->phase = PHASE_DONE;
		return (send_reply(rq));
	}
	if (rq->fault.early && fault_answer(rq))
		return (finish(rq));
	return (MHD_YES);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
    const char *version, const char *data, size_t *len, void **con_cls)
{
	struct request *rq = *con_cls;

	(void)url;
	(void)version;
	switch (rq->phase) {
	case PHASE_NEW:
		return (begin(rq, conn, method, cls != NULL));
	case PHASE_BODY:
		return (*len > 0 ? take(rq, data, len) : received(rq));
	case PHASE_READY:
		return (execute(rq));
	default:
		/* Back from a late execution; or bytes of a body that is not wanted any more. */
		if (*len > 0) {
			*len = 0;
			return (MHD_YES);
		}
		return (rq->reply.status != 0 ? finish(rq) : MHD_NO);
	}
}

static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
	(void)cls;
	(void)conn;
	return (request_new(uri));
}

static void
on_completed(
    void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode why)
{
	struct request *rq = *con_cls;

	(void)cls;
	(void)conn;
	(void)why;
	*con_cls = NULL;
	if (rq != NULL && rq->phase != PHASE_NEW && !rq->admin)
		stats_leave();
	request_free(rq);
}

static enum MHD_Result
on_accept(void *cls, const struct sockaddr *sa, socklen_t len)
{
	struct fault f;

	(void)sa;
	(void)len;
	if (cls != NULL)
		return (MHD_YES); /* the admin port is always open */
	stats_add(STAT_CONNECTIONS, 1);
	if (!fault_draw(OP_ACCEPT, NULL, &f))
		return (MHD_YES);
	stats_add(STAT_REFUSED, 1);
	return (MHD_NO);
}

/* Paths and queries stay as they came; request.c decodes. */
static size_t
leave_escaped(void *cls, struct MHD_Connection *conn, char *s)
{
	(void)cls;
	(void)conn;
	return (strlen(s));
}

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void
on_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	if (getenv("S3TESTD_DEBUG") != NULL)
		vfprintf(stderr, fmt, ap);
}

int
http_start(int port, bool admin_only, const char *cert, const char *key)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG |
			 (cert ? MHD_USE_TLS : 0);
	struct MHD_OptionItem more[] = {{MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL},
	    {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *d;
	int n = 0;
	void *only = admin_only ? &ndaemons : NULL;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!admin_only && opt.threads > 1)
		more[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, opt.threads, NULL};
	if (cert != NULL) {
		more[n++] =
		    (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert};
		more[n++] =
		    (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key};
	}
	d = MHD_start_daemon(flags, (uint16_t)port, on_accept, only, on_request, only,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_SOCK_ADDR, &sin,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
	    NULL, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)131072,
	    MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096u, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
	    MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (info == NULL || info->port == 0) {
		fprintf(
		    stderr, "s3testd: cannot listen on 127.0.0.1:%d: %s\n", port, strerror(errno));
		exit(1);
	}
	daemons[ndaemons++] = d;
	return (info->port);
}

void
http_stop(void)
{
	while (ndaemons > 0)
		MHD_stop_daemon(daemons[--ndaemons]);
}
