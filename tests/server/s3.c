/* SPDX-License-Identifier: ISC */
/*
 * s3.c -- which S3 operation a request is, and those on buckets (see s3.h).
 */
#include "tests/server/s3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/auth.h"
#include "tests/server/options.h"
#include "tests/server/request.h"
#include "tests/server/store.h"
#include "tests/server/text.h"

#define KEY_MAX 1024 /* bytes of a key, S3's limit */

static void
not_implemented(struct request *rq)
{
	reply_error(rq, 501, "NotImplemented",
	    "A header or query you provided requests a function that is not implemented.", NULL);
}

static void
bucket_location(struct request *rq)
{
	struct text t = TEXT_EMPTY;
	const char *region = opt.region;

	/* us-east-1 has the empty name, for ever. */
	if (strcmp(region, "us-east-1") == 0 || strcmp(region, "any") == 0)
		region = "";
	text_puts(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint "
		      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	text_xml(&t, region);
	text_puts(&t, "</LocationConstraint>");
	reply_text(rq, 200, "application/xml", &t);
}

static void
bucket_put(struct request *rq)
{
	struct text where = TEXT_EMPTY;
	int r = store_bucket_new(rq->bucket);

	if (r == -EINVAL) {
		reply_error(
		    rq, 400, "InvalidBucketName", "The specified bucket is not valid.", NULL);
	} else if (r == -EEXIST) {
		reply_error(rq, 409, "BucketAlreadyOwnedByYou",
		    "Your previous request to create the named bucket succeeded and you already "
		    "own it.",
		    NULL);
	} else if (r < 0) {
		reply_errno(rq, r);
	} else {
		text_printf(&where, "/%s", rq->bucket);
		reply_empty(rq, 200);
		reply_header(rq, "Location", where.s);
		text_free(&where);
	}
}

static void
on_bucket(struct request *rq, struct bucket *b)
{
	static const char *const known[] = {"acl", "cors", "lifecycle", "logging", "notification",
	    "policy", "replication", "tagging", "uploads", "versioning", "versions", "website"};
	const char *m = rq->method;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (request_param(rq, known[i]) != NULL) {
			not_implemented(rq);
			return;
		}
	}
	if (strcmp(m, "HEAD") == 0) {
		reply_empty(rq, 200);
		reply_header(rq, "x-amz-bucket-region", opt.region);
	} else if (strcmp(m, "GET") == 0 && request_param(rq, "location") != NULL) {
		bucket_location(rq);
	} else if (strcmp(m, "GET") == 0) {
		s3_list(rq, b);
	} else if (strcmp(m, "POST") == 0 && request_param(rq, "delete") != NULL) {
		s3_bulk_delete(rq, b);
	} else {
		reply_error(rq, 405, "MethodNotAllowed",
		    "The specified method is not allowed against this resource.", NULL);
	}
}

static void
on_object(struct request *rq, struct bucket *b)
{
	static const char *const known[] = {"acl", "partNumber", "restore", "select", "tagging",
	    "uploadId", "uploads", "versionId"};
	const char *m = rq->method;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (request_param(rq, known[i]) != NULL) {
			not_implemented(rq);
			return;
		}
	}
	if (strlen(rq->key) > KEY_MAX)
		reply_error(rq, 400, "KeyTooLongError", "Your key is too long", NULL);
	else if (strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0)
		s3_get(rq, b);
	else if (strcmp(m, "PUT") == 0 && request_header(rq, "x-amz-copy-source") != NULL)
		s3_copy(rq, b);
	else if (strcmp(m, "PUT") == 0)
		s3_put(rq, b);
	else if (strcmp(m, "DELETE") == 0)
		s3_delete(rq, b);
	else
		reply_error(rq, 405, "MethodNotAllowed",
		    "The specified method is not allowed against this resource.", NULL);
}

static void
no_such_bucket(struct request *rq)
{
	struct text extra = TEXT_EMPTY;

	text_puts(&extra, "<BucketName>");
	text_xml(&extra, rq->bucket);
	text_puts(&extra, "</BucketName>");
	reply_error(rq, 404, "NoSuchBucket", "The specified bucket does not exist", extra.s);
	text_free(&extra);
}

void
s3_execute(struct request *rq)
{
	struct bucket *b;

	if (rq->bad_uri) {
		reply_error(rq, 400, "InvalidURI", "Couldn't parse the specified URI.", NULL);
		return;
	}
	if (!auth_check(rq) || !auth_check_body(rq))
		return;
	if (rq->bucket == NULL) {
		not_implemented(rq); /* a list of buckets */
		return;
	}
	b = store_bucket(rq->bucket);
	if (b == NULL && rq->key == NULL && strcmp(rq->method, "PUT") == 0)
		bucket_put(rq);
	else if (b == NULL)
		no_such_bucket(rq);
	else if (rq->key == NULL && strcmp(rq->method, "PUT") == 0)
		bucket_put(rq);
	else if (rq->key == NULL)
		on_bucket(rq, b);
	else
		on_object(rq, b);
}
