/* SPDX-License-Identifier: ISC */
/*
 * s3_list.c -- ListObjects, versions 1 and 2 (see s3.h).
 *
 * The keys are walked one by one through the ordered tree, each step on its own: a listing is not
 * a snapshot, as it is not in S3, but it never misses a key that was there throughout.
 */
#include "tests/server/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/cond.h"
#include "tests/server/digest.h"
#include "tests/server/request.h"
#include "tests/server/store.h"
#include "tests/server/text.h"

struct listing {
	struct bucket *bucket;
	const char *prefix, *delimiter, *after; /* "" when not given */
	bool v2, urls, owner;
	long max, n;
	bool truncated;
	char *last; /* what came last: key or common prefix */
	struct text contents, prefixes;
};

static void
name(struct text *t, const struct listing *l, const char *s)
{
	if (l->urls)
		text_uri(t, s, true);
	else
		text_xml(t, s);
}

static void
element(struct text *t, const struct listing *l, const char *tag, const char *s)
{
	text_printf(t, "<%s>", tag);
	name(t, l, s);
	text_printf(t, "</%s>", tag);
}

/* The smallest string greater than all that begin with s; false: there is none. */
static bool
successor(char *s)
{
	for (size_t n = strlen(s); n > 0; n--) {
		if ((unsigned char)s[n - 1] != 0xff) {
			s[n - 1]++;
			s[n] = '\0';
			return (true);
		}
	}
	return (false);
}

/* false: the object went away meanwhile. */
static bool
add_key(struct listing *l, const char *key)
{
	struct object *o = store_get(l->bucket, key);
	struct text *t = &l->contents;
	const char *class;
	char date[40];

	if (o == NULL)
		return (false);
	class = object_meta_get(o, "x-amz-storage-class");
	date_iso(o->mtime, date);
	text_puts(t, "<Contents>");
	element(t, l, "Key", key);
	text_printf(t, "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag><Size>%zu</Size>",
	    date, o->etag, o->size);
	if (l->owner)
		text_puts(t, "<Owner><ID>s3testd</ID><DisplayName>s3testd</DisplayName></Owner>");
	text_puts(t, "<StorageClass>");
	text_xml(t, class ? class : "STANDARD");
	text_puts(t, "</StorageClass></Contents>");
	object_unref(o);
	return (true);
}

/* The common prefix the key falls under, allocated; NULL: it is listed itself. */
static char *
common_prefix(const struct listing *l, const char *key)
{
	const char *at;

	if (*l->delimiter == '\0' || (at = strstr(key + strlen(l->prefix), l->delimiter)) == NULL)
		return (NULL);
	return (xstrndup(key, (size_t)(at - key) + strlen(l->delimiter)));
}

/* One key; returns where to look next, allocated, NULL when done. */
static char *
step(struct listing *l, char *key, bool *ret_inclusive)
{
	char *common = common_prefix(l, key), *what = common ? common : key;

	*ret_inclusive = false;
	/* A common prefix at or before the marker was in an earlier page. */
	if (common == NULL || strcmp(common, l->after) > 0) {
		if (l->n == l->max) {
			l->truncated = true;
			free(common);
			free(key);
			return (NULL);
		}
		if (common != NULL) {
			text_puts(&l->prefixes, "<CommonPrefixes>");
			element(&l->prefixes, l, "Prefix", common);
			text_puts(&l->prefixes, "</CommonPrefixes>");
		}
		if (common != NULL || add_key(l, key)) {
			l->n++;
			free(l->last);
			l->last = xstrdup(what);
		}
	}
	if (common == NULL)
		return (key);
	free(key);
	*ret_inclusive = true;
	if (successor(common))
		return (common);
	free(common);
	return (NULL);
}

static void
walk(struct listing *l)
{
	size_t len = strlen(l->prefix);
	bool inclusive = strcmp(l->after, l->prefix) < 0;
	char *at = xstrdup(inclusive ? l->prefix : l->after), *key;

	/* max-keys=0 asks nothing and is never truncated. */
	while (at != NULL && l->max > 0) {
		key = store_next(l->bucket, at, inclusive);
		free(at);
		if (key == NULL || strncmp(key, l->prefix, len) != 0) {
			free(key);
			return;
		}
		at = step(l, key, &inclusive);
	}
	free(at);
}

/* Continuation tokens are opaque to clients: the last key in hex. */
static char *
token_of(const char *key)
{
	char *hex = xmalloc(strlen(key) * 2 + 1);

	hex_encode((const unsigned char *)key, strlen(key), hex);
	return (hex);
}

static int
token_decode(const char *token, char **ret_key)
{
	size_t n = strlen(token);
	char *key = xcalloc(1, n / 2 + 1);

	for (size_t i = 0; i < n / 2; i++) {
		unsigned byte;

		if (sscanf(token + 2 * i, "%2x", &byte) != 1 || byte == 0) {
			free(key);
			return (-1);
		}
		key[i] = (char)byte;
	}
	*ret_key = key;
	return (n % 2 == 0 ? 0 : -1);
}

static void
reply_v1(struct text *t, const struct listing *l, const char *marker)
{
	element(t, l, "Marker", marker ? marker : "");
	/* As S3: without a delimiter, the last key is the next marker. */
	if (l->truncated && *l->delimiter != '\0')
		element(t, l, "NextMarker", l->last);
}

static void
reply_v2(struct text *t, const struct listing *l, const char *token, const char *start)
{
	char *next;

	text_printf(t, "<KeyCount>%ld</KeyCount>", l->n);
	if (token != NULL)
		text_printf(t, "<ContinuationToken>%s</ContinuationToken>", token);
	if (start != NULL)
		element(t, l, "StartAfter", start);
	if (l->truncated) {
		next = token_of(l->last);
		text_printf(t, "<NextContinuationToken>%s</NextContinuationToken>", next);
		free(next);
	}
}

static void
reply(struct request *rq, struct listing *l)
{
	struct text t = TEXT_EMPTY;

	text_puts(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
		      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>");
	text_xml(&t, store_bucket_name(l->bucket));
	text_puts(&t, "</Name>");
	element(&t, l, "Prefix", l->prefix);
	if (l->v2)
		reply_v2(&t, l, request_param(rq, "continuation-token"),
		    request_param(rq, "start-after"));
	else
		reply_v1(&t, l, request_param(rq, "marker"));
	text_printf(&t, "<MaxKeys>%ld</MaxKeys>", l->max);
	if (*l->delimiter != '\0')
		element(&t, l, "Delimiter", l->delimiter);
	if (l->urls)
		text_puts(&t, "<EncodingType>url</EncodingType>");
	text_printf(&t, "<IsTruncated>%s</IsTruncated>", l->truncated ? "true" : "false");
	text_add(&t, l->contents.s, l->contents.len);
	text_add(&t, l->prefixes.s, l->prefixes.len);
	text_puts(&t, "</ListBucketResult>");
	reply_text(rq, 200, "application/xml", &t);
}

static const char *
param(struct request *rq, const char *which)
{
	const char *v = request_param(rq, which);

	return (v ? v : "");
}

static void
invalid(struct request *rq, const char *message)
{
	reply_error(rq, 400, "InvalidArgument", message, NULL);
}

void
s3_list(struct request *rq, struct bucket *b)
{
	const char *max = request_param(rq, "max-keys"), *encoding, *token, *owner;
	struct listing l = {.bucket = b, .max = 1000};
	char *after = NULL, *end;

	l.v2 = strcmp(param(rq, "list-type"), "2") == 0;
	l.prefix = param(rq, "prefix");
	l.delimiter = param(rq, "delimiter");
	encoding = param(rq, "encoding-type");
	l.urls = strcmp(encoding, "url") == 0;
	owner = param(rq, "fetch-owner");
	l.owner = !l.v2 || strcmp(owner, "true") == 0;
	if (*encoding != '\0' && !l.urls) {
		invalid(rq, "Invalid Encoding Method specified in Request");
		return;
	}
	if (max != NULL && *max != '\0') {
		l.max = strtol(max, &end, 10);
		if (*end != '\0' || l.max < 0) {
			invalid(rq, "Provided max-keys not an integer or within integer range");
			return;
		}
		if (l.max > 1000)
			l.max = 1000;
	}
	token = request_param(rq, "continuation-token");
	l.after = param(rq, l.v2 ? "start-after" : "marker");
	if (l.v2 && token != NULL) {
		if (*token == '\0' || token_decode(token, &after) < 0) {
			invalid(rq, "The continuation token provided is incorrect");
			return;
		}
		l.after = after;
	}
	walk(&l);
	reply(rq, &l);
	free(after);
	free(l.last);
	text_free(&l.contents);
	text_free(&l.prefixes);
}
