/* SPDX-License-Identifier: ISC */
/*
 * s3_object.c -- GET, HEAD, PUT, COPY and DELETE of one object (see s3.h).
 */
#include "tests/server/s3.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/server/cond.h"
#include "tests/server/digest.h"
#include "tests/server/options.h"
#include "tests/server/request.h"
#include "tests/server/store.h"
#include "tests/server/text.h"

void
s3_no_such_key(struct request *rq, const char *key)
{
	struct text extra = TEXT_EMPTY;

	text_puts(&extra, "<Key>");
	text_xml(&extra, key);
	text_puts(&extra, "</Key>");
	reply_error(rq, 404, "NoSuchKey", "The specified key does not exist.", extra.s);
	text_free(&extra);
}

static void
precondition_failed(struct request *rq, const char *which)
{
	struct text extra = TEXT_EMPTY;

	text_printf(&extra, "<Condition>%s</Condition>", which);
	reply_error(rq, 412, "PreconditionFailed",
	    "At least one of the pre-conditions you specified did not hold", extra.s);
	text_free(&extra);
}

static void
etag_header(struct request *rq, const char *etag)
{
	char quoted[40];

	snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	reply_header(rq, "ETag", quoted);
}

/* Server-side encryption is echoed on writes as on reads. */
static void
sse_headers(struct request *rq, const struct object *o)
{
	for (int i = 0; i < o->nmeta; i++) {
		if (strncasecmp(o->meta[i].name, "x-amz-server-side-encryption", 28) == 0)
			reply_header(rq, o->meta[i].name, o->meta[i].value);
	}
}

void
s3_object_headers(struct request *rq, const struct object *o)
{
	bool checksums = request_header(rq, "x-amz-checksum-mode") != NULL || rq->admin;
	char date[40];

	etag_header(rq, o->etag);
	date_http(o->mtime, date);
	reply_header(rq, "Last-Modified", date);
	reply_header(rq, "Accept-Ranges", "bytes");
	for (int i = 0; i < o->nmeta; i++) {
		const char *name = o->meta[i].name;

		/* As S3: the standard class is not mentioned, checksums only when asked for. */
		if ((strcasecmp(name, "x-amz-storage-class") == 0 &&
			strcmp(o->meta[i].value, "STANDARD") == 0) ||
		    (strncasecmp(name, "x-amz-checksum-", 15) == 0 && !checksums))
			continue;
		reply_header(rq, name, o->meta[i].value);
	}
}

/* The headers of a PUT that are kept with the object. */
static bool
is_stored(const char *name)
{
	static const char *const exact[] = {"Content-Type", "Content-Encoding", "Cache-Control",
	    "Content-Disposition", "Content-Language", "Expires", "x-amz-storage-class",
	    "x-amz-website-redirect-location"};
	static const char *const prefix[] = {
	    "x-amz-meta-", "x-amz-server-side-encryption", "x-amz-checksum-"};

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
		if (strcasecmp(name, exact[i]) == 0)
			return (true);
	}
	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
		if (strncasecmp(name, prefix[i], strlen(prefix[i])) == 0)
			return (true);
	}
	return (false);
}

static void
store_headers(struct request *rq, struct object *o)
{
	for (int i = 0; i < rq->nhdr; i++) {
		if (is_stored(rq->hdr[i].name))
			object_meta(o, rq->hdr[i].name, rq->hdr[i].value);
	}
	if (object_meta_get(o, "Content-Type") == NULL)
		object_meta(o, "Content-Type", "binary/octet-stream");
}

/* Damage that looks like data: every byte but the length. */
static struct body *
damaged(const struct body *b)
{
	struct body *bad = body_new(b->len);

	for (size_t i = 0; i < b->len; i++)
		bad->data[i] = (char)(b->data[i] ^ (0x55 + i * 7));
	bad->len = b->len;
	return (bad);
}

struct object *
s3_object_received(struct request *rq)
{
	struct body *body = rq->body ? body_ref(rq->body) : body_new(0), *bad;
	unsigned char md[DIGEST_MAX];
	struct object *o;
	char etag[33];

	if (opt.etag_fast)
		digest_fast(body->data, body->len, md);
	else
		digest(DIGEST_MD5, body->data, body->len, md);
	hex_encode(md, 16, etag);
	if (rq->fault.garbage && rq->op == OP_PUT) {
		/* The disk went bad under the store: right ETag, wrong bytes. */
		bad = damaged(body);
		body_unref(body);
		body = bad;
	}
	o = object_new(body, etag);
	store_headers(rq, o);
	return (o);
}

void
s3_get(struct request *rq, struct bucket *b)
{
	struct cond_read c = {request_header(rq, "If-Match"), request_header(rq, "If-None-Match"),
	    request_header(rq, "If-Modified-Since"), request_header(rq, "If-Unmodified-Since")};
	struct object *o;
	struct body *body = NULL;
	uint64_t off, len;
	char range[80];
	int status;

	o = rq->fault.stale ? store_get_previous(b, rq->key) : store_get(b, rq->key);
	if (o == NULL) {
		s3_no_such_key(rq, rq->key);
		return;
	}
	status = cond_read_check(&c, o->etag, o->mtime);
	if (status == 0)
		status = cond_range(request_header(rq, "Range"), o->size, &off, &len);
	if (status == 412) {
		precondition_failed(rq, c.if_match ? "If-Match" : "If-Unmodified-Since");
	} else if (status == 416) {
		snprintf(range, sizeof(range), "<ActualObjectSize>%zu</ActualObjectSize>", o->size);
		reply_error(
		    rq, 416, "InvalidRange", "The requested range is not satisfiable", range);
		snprintf(range, sizeof(range), "bytes */%zu", o->size);
		reply_header(rq, "Content-Range", range);
	} else if (status == 304) {
		reply_empty(rq, 304);
		s3_object_headers(rq, o);
	} else if ((body = object_body(o)) == NULL) {
		reply_errno(rq, -EIO);
	} else {
		reply_body(rq, status, body, off, len);
		s3_object_headers(rq, o);
		if (status == 206) {
			snprintf(range, sizeof(range), "bytes %llu-%llu/%zu",
			    (unsigned long long)off, (unsigned long long)(off + len - 1), o->size);
			reply_header(rq, "Content-Range", range);
		}
	}
	object_unref(o);
}

/* The conditions of a write; false: the reply says why not. */
static bool
write_conditions(struct request *rq, struct store_cond *ret_cond)
{
	const char *none = request_header(rq, "If-None-Match");
	const char *match = request_header(rq, "If-Match");

	*ret_cond = (struct store_cond){false, NULL};
	if ((none == NULL && match == NULL) || opt.cond_put == COND_PUT_IGNORED)
		return (true);
	if (opt.cond_put == COND_PUT_501 || (none != NULL && strcmp(none, "*") != 0)) {
		reply_error(rq, 501, "NotImplemented",
		    "A header you provided implies functionality that is not implemented", NULL);
		return (false);
	}
	ret_cond->none_match_any = none != NULL;
	ret_cond->if_match = match;
	if (opt.cond_put == COND_PUT_BARE && match != NULL && *match == '"')
		ret_cond->if_match = "none has this one";
	return (true);
}

static bool
written(struct request *rq, int r, const struct store_cond *c)
{
	if (r == -EEXIST)
		precondition_failed(rq, c->none_match_any ? "If-None-Match" : "If-Match");
	else if (r == -ENOENT)
		s3_no_such_key(rq, rq->key);
	else if (r < 0)
		reply_errno(rq, r);
	return (r == 0);
}

void
s3_put(struct request *rq, struct bucket *b)
{
	struct store_cond cond;
	struct object *o;

	if (request_header(rq, "Content-Length") == NULL) {
		reply_error(rq, 411, "MissingContentLength",
		    "You must provide the Content-Length HTTP header.", NULL);
		return;
	}
	if (!write_conditions(rq, &cond))
		return;
	o = object_ref(s3_object_received(rq)); /* one for the store, one for the reply */
	if (written(rq, store_put(b, rq->key, o, &cond, fault_want_stale()), &cond)) {
		reply_empty(rq, 200);
		etag_header(rq, o->etag);
		sse_headers(rq, o);
	}
	object_unref(o);
}

void
s3_delete(struct request *rq, struct bucket *b)
{
	struct store_cond cond;

	if (write_conditions(rq, &cond) && written(rq, store_delete(b, rq->key, &cond), &cond))
		reply_empty(rq, 204);
}

/* x-amz-copy-source is [/]BUCKET/KEY, escaped.  NULL: the reply says why. */
static struct object *
copy_source(struct request *rq, bool *ret_self)
{
	const char *raw = request_header(rq, "x-amz-copy-source");
	struct object *o = NULL;
	struct bucket *b = NULL;
	char *path = NULL, *key;

	raw += *raw == '/';
	if (uri_decode(raw, strcspn(raw, "?"), false, &path) < 0 ||
	    (key = strchr(path, '/')) == NULL) {
		reply_error(rq, 400, "InvalidArgument",
		    "Copy Source must mention the source bucket "
		    "and key: sourcebucket/sourcekey",
		    NULL);
		free(path);
		return (NULL);
	}
	*key++ = '\0';
	b = store_bucket(path);
	if (b == NULL)
		reply_error(rq, 404, "NoSuchBucket", "The specified bucket does not exist", NULL);
	else if ((o = store_get(b, key)) == NULL)
		s3_no_such_key(rq, key);
	*ret_self = strcmp(path, rq->bucket) == 0 && strcmp(key, rq->key) == 0;
	free(path);
	return (o);
}

static void
copy_reply(struct request *rq, const struct object *o)
{
	struct text t = TEXT_EMPTY;
	char date[40];

	date_iso(o->mtime, date);
	text_printf(&t,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyObjectResult "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LastModified>%s</LastModified>"
	    "<ETag>&quot;%s&quot;</ETag></CopyObjectResult>",
	    date, o->etag);
	reply_text(rq, 200, "application/xml", &t);
	sse_headers(rq, o);
}

static void
copy_to(struct request *rq, struct bucket *b, struct object *from)
{
	const char *directive = request_header(rq, "x-amz-metadata-directive");
	struct store_cond cond;
	struct body *body;
	struct object *o;

	if (!write_conditions(rq, &cond))
		return;
	if ((body = object_body(from)) == NULL) {
		reply_errno(rq, -EIO);
		return;
	}
	o = object_new(body, from->etag);
	if (directive != NULL && strcmp(directive, "REPLACE") == 0) {
		store_headers(rq, o);
	} else {
		for (int i = 0; i < from->nmeta; i++)
			object_meta(o, from->meta[i].name, from->meta[i].value);
	}
	object_ref(o);
	if (written(rq, store_put(b, rq->key, o, &cond, fault_want_stale()), &cond))
		copy_reply(rq, o);
	object_unref(o);
}

void
s3_copy(struct request *rq, struct bucket *b)
{
	struct cond_read c = {request_header(rq, "x-amz-copy-source-if-match"),
	    request_header(rq, "x-amz-copy-source-if-none-match"),
	    request_header(rq, "x-amz-copy-source-if-modified-since"),
	    request_header(rq, "x-amz-copy-source-if-unmodified-since")};
	bool self, replace = request_header(rq, "x-amz-metadata-directive") != NULL &&
			     strcmp(request_header(rq, "x-amz-metadata-directive"), "REPLACE") == 0;
	struct object *from = copy_source(rq, &self);

	if (from == NULL)
		return;
	if (cond_read_check(&c, from->etag, from->mtime) != 0)
		precondition_failed(rq, "x-amz-copy-source-");
	else if (self && !replace && request_header(rq, "x-amz-storage-class") == NULL)
		reply_error(rq, 400, "InvalidRequest",
		    "This copy request is illegal because it is "
		    "trying to copy an object to itself without changing the object's metadata, "
		    "storage class, website redirect location or encryption attributes.",
		    NULL);
	else
		copy_to(rq, b, from);
	object_unref(from);
}
