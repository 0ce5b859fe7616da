/* SPDX-License-Identifier: ISC */
/*
 * request.c -- what a request asks for, and building its reply (see request.h).
 */
#include "tests/server/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <arpa/inet.h>
#include <microhttpd.h>

#include "tests/server/aws.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"

#define ADMIN_PREFIX "/_s3testd/"

struct request *
request_new(const char *raw_uri)
{
	static _Atomic uint64_t seq;
	struct request *rq = xcalloc(1, sizeof(*rq));
	const char *q = strchr(raw_uri, '?');

	rq->seq = ++seq;
	rq->start_us = now_us();
	rq->raw_path = q ? xstrndup(raw_uri, (size_t)(q - raw_uri)) : xstrdup(raw_uri);
	rq->raw_query = q ? xstrdup(q + 1) : NULL;
	rq->fault.truncate = -1;
	return (rq);
}

static enum MHD_Result
add_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct request *rq = cls;

	(void)kind;
	rq->hdr = xrealloc(rq->hdr, (size_t)(rq->nhdr + 1) * sizeof(*rq->hdr));
	rq->hdr[rq->nhdr++] = (struct header){name, value ? value : ""};
	return (MHD_YES);
}

/*
 * Virtual-host style: the host begins with the name of a bucket we have, or is NAME.localhost.
 * Anything else, an address above all, is path style.  The part before the bucket's end, or NULL.
 */
static char *
bucket_of_host(const char *host)
{
	static const char local[] = ".localhost";
	char *name = xstrndup(host, strcspn(host, ":")), *bucket = NULL;
	size_t len = strlen(name);
	struct in_addr in;
	struct bucket *b;

	if (inet_pton(AF_INET, name, &in) != 1) {
		b = store_bucket_of_host(name);
		if (b != NULL)
			bucket = xstrdup(store_bucket_name(b));
		else if (len >= sizeof(local) && strcmp(name + len - sizeof(local) + 1, local) == 0)
			bucket = xstrndup(name, len - sizeof(local) + 1);
	}
	free(name);
	return (bucket);
}

static void
find_target(struct request *rq)
{
	const char *host = request_header(rq, "Host"), *p = rq->raw_path;
	size_t len;

	p += *p == '/';
	rq->bucket = host ? bucket_of_host(host) : NULL;
	rq->vhost = rq->bucket != NULL;
	if (!rq->vhost) {
		len = strcspn(p, "/");
		if (len > 0 && uri_decode(p, len, false, &rq->bucket) < 0)
			rq->bad_uri = true;
		p += len;
		p += *p == '/';
	}
	if (*p != '\0' && uri_decode(p, strlen(p), false, &rq->key) < 0)
		rq->bad_uri = true;
}

static enum fault_op
find_op(const struct request *rq)
{
	const char *m = rq->method;

	if (rq->key == NULL) {
		if (strcmp(m, "POST") == 0)
			return (OP_BULK);
		if (strcmp(m, "GET") == 0 && request_param(rq, "location") == NULL)
			return (OP_LIST);
		return (OP_BUCKET);
	}
	if (strcmp(m, "GET") == 0)
		return (OP_GET);
	if (strcmp(m, "HEAD") == 0)
		return (OP_HEAD);
	if (strcmp(m, "DELETE") == 0)
		return (OP_DELETE);
	if (strcmp(m, "PUT") == 0)
		return (request_header(rq, "x-amz-copy-source") ? OP_COPY : OP_PUT);
	return (OP_BULK);
}

void
request_headers(struct request *rq, struct MHD_Connection *conn, const char *method)
{
	const char *len;

	rq->conn = conn;
	rq->method = xstrdup(method);
	MHD_get_connection_values(conn, MHD_HEADER_KIND, add_header, rq);
	if (query_parse(rq->raw_query, &rq->query) < 0)
		rq->bad_uri = true;
	len = request_header(rq, "Content-Length");
	rq->expected = len ? strtoull(len, NULL, 10) : 0;
	rq->admin = strncmp(rq->raw_path, ADMIN_PREFIX, sizeof(ADMIN_PREFIX) - 1) == 0;
	rq->aws = strncmp(rq->raw_path, AWS_PREFIX, sizeof(AWS_PREFIX) - 1) == 0;
	if (rq->aws)
		rq->fault.stall_us = aws_stall_us(rq);
	if (rq->admin || rq->aws)
		return;
	find_target(rq);
	rq->op = find_op(rq);
	if (!fault_draw(rq->op, rq->key, &rq->fault))
		rq->fault.truncate = -1;
}

static void
reply_clear(struct reply *r)
{
	for (int i = 0; i < r->nhdr; i++) {
		free(r->hdr[i].name);
		free(r->hdr[i].value);
	}
	free(r->hdr);
	body_unref(r->body);
	memset(r, 0, sizeof(*r));
}

void
request_free(struct request *rq)
{
	if (rq == NULL)
		return;
	reply_clear(&rq->reply);
	query_free(&rq->query);
	body_unref(rq->body);
	free(rq->hdr);
	free(rq->method);
	free(rq->raw_path);
	free(rq->raw_query);
	free(rq->bucket);
	free(rq->key);
	free(rq);
}

const char *
request_header(const struct request *rq, const char *name)
{
	return (header_get(rq->hdr, rq->nhdr, name));
}

const char *
request_param(const struct request *rq, const char *name)
{
	return (query_get(&rq->query, name));
}

int64_t
request_clock(const struct request *rq)
{
	return ((int64_t)time(NULL) + rq->fault.skew_s);
}

void
reply_header(struct request *rq, const char *name, const char *value)
{
	struct reply *r = &rq->reply;

	r->hdr = xrealloc(r->hdr, (size_t)(r->nhdr + 1) * sizeof(*r->hdr));
	r->hdr[r->nhdr++] = (struct meta){xstrdup(name), xstrdup(value)};
}

void
reply_empty(struct request *rq, int status)
{
	reply_clear(&rq->reply);
	rq->reply.status = status;
}

void
reply_body(struct request *rq, int status, struct body *body, size_t off, size_t len)
{
	reply_empty(rq, status);
	rq->reply.body = body;
	rq->reply.off = off;
	rq->reply.len = len;
}

void
reply_text(struct request *rq, int status, const char *type, struct text *t)
{
	size_t len = t->len;

	reply_body(rq, status, body_from(text_take(t), len), 0, len);
	reply_header(rq, "Content-Type", type);
}

void
reply_error(
    struct request *rq, int status, const char *code, const char *message, const char *extra)
{
	struct text t = TEXT_EMPTY;

	text_puts(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
	text_xml(&t, code);
	text_puts(&t, "</Code><Message>");
	text_xml(&t, message);
	text_printf(&t, "</Message>%s<Resource>", extra ? extra : "");
	text_xml(&t, rq->raw_path);
	text_printf(
	    &t, "</Resource><RequestId>%016llX</RequestId></Error>", (unsigned long long)rq->seq);
	reply_text(rq, status, "application/xml", &t);
	snprintf(rq->reply.code, sizeof(rq->reply.code), "%s", code);
}

void
reply_errno(struct request *rq, int r)
{
	fprintf(stderr, "s3testd: %s %s: %s\n", rq->method, rq->raw_path, strerror(-r));
	reply_error(rq, 500, "InternalError", strerror(-r), NULL);
}
