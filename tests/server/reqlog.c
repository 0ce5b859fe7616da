/* SPDX-License-Identifier: ISC */
/*
 * reqlog.c -- what the server was asked (see reqlog.h).
 */
#include "tests/server/reqlog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sys/time.h>

#include "tests/server/request.h"
#include "tests/server/store.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"

#define RING 65536 /* lines kept for the admin interface */

static const char *const names[STAT_MAX] = {"get", "head", "put", "copy", "delete", "list",
    "bulk_delete", "bucket", "requests", "bytes_in", "bytes_out", "status_2xx", "status_3xx",
    "status_4xx", "status_5xx", "resets", "faults", "signature_failures", "body_failures",
    "connections", "refused_connections"};

static _Atomic uint64_t counter[STAT_MAX];
static _Atomic int64_t in_flight, peak;

static struct {
	pthread_mutex_t lock;
	int fd;
	uint64_t n; /* lines so far */
	char *line[RING];
} reqlog = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

void
stats_add(enum tally s, uint64_t n)
{
	atomic_fetch_add_explicit(&counter[s], n, memory_order_relaxed);
}

void
stats_enter(void)
{
	int64_t now = ++in_flight, old = peak;

	while (now > old && !atomic_compare_exchange_weak(&peak, &old, now))
		;
}

void
stats_leave(void)
{
	in_flight--;
}

void
stats_show(struct text *t)
{
	text_puts(t, "{");
	for (int i = 0; i < STAT_MAX; i++)
		text_printf(t, "\"%s\": %llu, ", names[i], (unsigned long long)counter[i]);
	text_printf(
	    t, "\"errors\": %llu, ", (unsigned long long)(counter[STAT_4XX] + counter[STAT_5XX]));
	text_printf(t, "\"in_flight\": %lld, \"peak_in_flight\": %lld, \"objects\": %llu}\n",
	    (long long)in_flight, (long long)peak, (unsigned long long)store_count());
}

void
stats_reset(void)
{
	for (int i = 0; i < STAT_MAX; i++)
		counter[i] = 0;
	peak = (int64_t)in_flight;
}

int
reqlog_open(const char *path)
{
	if (path == NULL)
		return (0);
	reqlog.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return (reqlog.fd < 0 ? -errno : 0);
}

static void
count(const struct request *rq)
{
	int status = rq->reply.status, op = ffs((int)rq->op) - 1;

	if (op >= 0 && op <= STAT_BUCKET)
		stats_add((enum tally)op, 1);
	stats_add(STAT_REQUESTS, 1);
	stats_add(STAT_BYTES_IN, rq->body ? rq->body->len : 0);
	stats_add(STAT_BYTES_OUT, rq->bytes_out);
	if (status >= 200)
		stats_add((enum tally)(STAT_2XX + (status / 100 - 2)), 1);
	else
		stats_add(STAT_RESETS, 1);
	if (rq->fault.on)
		stats_add(STAT_FAULTS, 1);
}

/* Readable, but without blanks and line breaks. */
static void
field(struct text *t, const char *s)
{
	if (s == NULL || *s == '\0') {
		text_puts(t, "-");
		return;
	}
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == 0x7f || c == '%')
			text_printf(t, "%%%02X", c);
		else
			text_add(t, s, 1);
	}
}

static bool
of_interest(const char *name)
{
	static const char *const list[] = {"host", "range", "if-match", "if-none-match",
	    "if-modified-since", "if-unmodified-since", "content-type", "content-encoding",
	    "content-md5", "expect", "user-agent", "accept-encoding"};

	if (strncasecmp(name, "x-amz-", 6) == 0)
		return (strcasecmp(name, "x-amz-security-token") != 0);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (strcasecmp(name, list[i]) == 0)
			return (true);
	}
	return (false);
}

static void
format(struct text *t, const struct request *rq)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	text_printf(t, "%llu %s ",
	    (unsigned long long)tv.tv_sec * 1000000 + (unsigned long long)tv.tv_usec -
		(now_us() - rq->start_us),
	    rq->method);
	text_puts(t, rq->raw_path); /* raw: it came without blanks */
	text_printf(t, " %s ", rq->raw_query && *rq->raw_query ? rq->raw_query : "-");
	text_printf(t, "%d %zu %llu ", rq->reply.status, rq->body ? rq->body->len : 0,
	    (unsigned long long)rq->bytes_out);
	field(t, rq->key);
	for (int i = 0; i < rq->nhdr; i++) {
		if (!of_interest(rq->hdr[i].name))
			continue;
		text_puts(t, " ");
		for (const char *p = rq->hdr[i].name; *p != '\0'; p++) {
			char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;

			text_add(t, &c, 1);
		}
		text_puts(t, "=");
		field(t, rq->hdr[i].value);
	}
	if (rq->reply.code[0] != '\0')
		text_printf(t, " code=%s", rq->reply.code);
	if (rq->fault.on)
		text_printf(t, " fault=%s", rq->fault.name);
	text_printf(t, " us=%llu\n", (unsigned long long)(now_us() - rq->start_us));
}

void
reqlog_request(const struct request *rq)
{
	struct text t = TEXT_EMPTY;
	char **slot;

	count(rq);
	format(&t, rq);
	pthread_mutex_lock(&reqlog.lock);
	/* Under the lock, so that file and ring have one order. */
	if (reqlog.fd >= 0 && write(reqlog.fd, t.s, t.len) < 0) {
		close(reqlog.fd);
		reqlog.fd = -1;
	}
	slot = &reqlog.line[reqlog.n++ % RING];
	free(*slot);
	*slot = text_take(&t);
	pthread_mutex_unlock(&reqlog.lock);
}

void
reqlog_show(struct text *t, uint64_t since)
{
	pthread_mutex_lock(&reqlog.lock);
	if (reqlog.n > RING && since < reqlog.n - RING)
		since = reqlog.n - RING;
	for (; since < reqlog.n; since++)
		text_printf(t, "%llu %s", (unsigned long long)since + 1, reqlog.line[since % RING]);
	pthread_mutex_unlock(&reqlog.lock);
}
