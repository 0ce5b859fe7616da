/* SPDX-License-Identifier: ISC */
/*
 * s3_bulk.c -- POST ?delete: many keys in one request (see s3.h).
 */
#include "tests/server/s3.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <expat.h>

#include "tests/server/request.h"
#include "tests/server/store.h"
#include "tests/server/text.h"

#define BULK_MAX 1000 /* keys in one request, S3's limit */

struct bulk {
	int depth;
	bool quiet, in_object, bad;
	struct text value; /* character data of the element being read */
	char *key;	   /* of the Object being read */
	char **keys;
	int n;
};

/* The element's name without a namespace prefix. */
static const char *
local(const char *name)
{
	const char *colon = strrchr(name, ':');

	return (colon ? colon + 1 : name);
}

static void
on_start(void *cls, const char *name, const char **attr)
{
	struct bulk *b = cls;

	(void)attr;
	name = local(name);
	b->value.len = 0;
	if (b->depth == 0 && strcmp(name, "Delete") != 0)
		b->bad = true;
	if (b->depth == 1 && strcmp(name, "Object") == 0)
		b->in_object = true;
	b->depth++;
}

static void
on_end(void *cls, const char *name)
{
	struct bulk *b = cls;
	const char *value = b->value.len > 0 ? b->value.s : "";

	name = local(name);
	b->depth--;
	if (b->depth == 2 && b->in_object && strcmp(name, "Key") == 0) {
		free(b->key);
		b->key = xstrdup(value);
	} else if (b->depth == 1 && strcmp(name, "Quiet") == 0) {
		b->quiet = strcasecmp(value, "true") == 0;
	} else if (b->depth == 1 && b->in_object) {
		b->in_object = false;
		if (b->key == NULL || *b->key == '\0') {
			b->bad = true;
		} else {
			b->keys = xrealloc(b->keys, (size_t)(b->n + 1) * sizeof(*b->keys));
			b->keys[b->n++] = b->key;
			b->key = NULL;
		}
	}
	b->value.len = 0;
}

static void
on_text(void *cls, const char *s, int len)
{
	struct bulk *b = cls;

	text_add(&b->value, s, (size_t)len);
}

static bool
parse(struct bulk *b, const struct body *body)
{
	XML_Parser p = XML_ParserCreate(NULL);
	bool good;

	if (p == NULL)
		abort();
	XML_SetUserData(p, b);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	good = body != NULL && XML_Parse(p, body->data, (int)body->len, 1) == XML_STATUS_OK;
	XML_ParserFree(p);
	return (good && !b->bad && b->n > 0 && b->n <= BULK_MAX);
}

/* S3 wants to know that the body arrived whole. */
static bool
has_checksum(const struct request *rq)
{
	if (request_header(rq, "Content-MD5") != NULL)
		return (true);
	for (int i = 0; i < rq->nhdr; i++) {
		if (strncasecmp(rq->hdr[i].name, "x-amz-checksum-", 15) == 0)
			return (true);
	}
	return (false);
}

static void
delete_all(struct request *rq, struct bucket *bucket, const struct bulk *b)
{
	struct text t = TEXT_EMPTY;

	text_puts(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult "
		      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (int i = 0; i < b->n; i++) {
		/* A `partial` fault: every other key fails, beginning with the second. */
		bool fail = strlen(b->keys[i]) > 1024 || (rq->fault.partial && i % 2 == 1);

		if (fail || store_delete(bucket, b->keys[i], NULL) < 0) {
			text_puts(&t, "<Error><Key>");
			text_xml(&t, b->keys[i]);
			text_puts(&t, "</Key><Code>InternalError</Code><Message>We encountered an "
				      "internal error. Please try again.</Message></Error>");
		} else if (!b->quiet) {
			text_puts(&t, "<Deleted><Key>");
			text_xml(&t, b->keys[i]);
			text_puts(&t, "</Key></Deleted>");
		}
	}
	text_puts(&t, "</DeleteResult>");
	reply_text(rq, 200, "application/xml", &t);
}

void
s3_bulk_delete(struct request *rq, struct bucket *bucket)
{
	struct bulk b = {0};

	if (!has_checksum(rq))
		reply_error(rq, 400, "InvalidRequest",
		    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
		    NULL);
	else if (!parse(&b, rq->body))
		reply_error(rq, 400, "MalformedXML",
		    "The XML you provided was not well-formed or "
		    "did not validate against our published schema",
		    NULL);
	else
		delete_all(rq, bucket, &b);
	for (int i = 0; i < b.n; i++)
		free(b.keys[i]);
	free(b.keys);
	free(b.key);
	text_free(&b.value);
}
