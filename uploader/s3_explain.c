/* SPDX-License-Identifier: ISC */
#include "uploader/s3_explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uploader/s3_http.h"
#include "uploader/s3_request.h"
#include "uploader/xml.h"

#include "uploader/guard.h"

static void
explain_transport(const struct s3_endpoint *e, const struct http_reply *r, char *buf, size_t size)
{
	const char *what = r->transport[0] != '\0' ? r->transport : strerror(-r->error);

	switch (r->error) {
	case -EADDRNOTAVAIL:
		(void)snprintf(buf, size,
		    "host name %s cannot be resolved "
		    "(check baseURL and the name service)",
		    e->host);
		break;
	case -ECONNREFUSED:
		(void)snprintf(buf, size,
		    "connection refused by %s "
		    "(nothing listens there; check baseURL)",
		    e->host);
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		(void)snprintf(buf, size, "no route to %s (check the network)", e->host);
		break;
	case -EKEYREJECTED:
		(void)snprintf(buf, size,
		    "the certificate of %s is not trusted: %s "
		    "(set cacert, or correct baseURL)",
		    e->host, what);
		break;
	case -EPROTO:
		(void)snprintf(
		    buf, size, "TLS with %s failed: %s (is it https there?)", e->host, what);
		break;
	case -ETIMEDOUT:
		(void)snprintf(buf, size, "no answer from %s: %s", e->host, what);
		break;
	default:
		(void)snprintf(buf, size, "%s: %s", e->host, what);
		break;
	}
}

/* What the user can do about the code, or NULL. */
static const char *
advice(const char *code)
{
	static const struct {
		const char *code, *advice;
	} table[] = {
	    {"InvalidAccessKeyId", "this store does not know the access key; check accessId"},
	    {"SignatureDoesNotMatch", "the secret key is wrong; check accessKey"},
	    {"AccessDenied", "this key may not do that here; check its policy"},
	    {"AllAccessDisabled", "the store has disabled this bucket"},
	    {"AccountProblem", "there is a problem with the account"},
	    {"InvalidToken", "the session token is not valid"},
	    {"ExpiredToken", "the credentials have expired"},
	    {"RequestTimeTooSkewed", "the clock of this machine is wrong"},
	    {"InvalidObjectState", "the object is archived and must be restored first"},
	    {"KMS.DisabledException", "the key of sse-key-id is disabled"},
	    {"InvalidStorageClass", "check storageClass"},
	    {"AuthorizationHeaderMalformed", "check region"},
	    {"PermanentRedirect", "check region and baseURL"},
	    {"InvalidBucketName", "the name of the bucket is not a valid one"},
	    {"EntityTooLarge", "the store does not take objects of this blockSize"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].code, code) == 0)
			return (table[i].advice);
	return (NULL);
}

void
s3_explain(const struct s3_endpoint *e, const char *key_id, enum fail f, const struct http_reply *r,
    const struct xml_error *x, char *buf, size_t size)
{
	const char *help = advice(x->code);

	if (f == FAIL_NONE) {
		buf[0] = '\0';
		return;
	}
	if (r->error < 0) {
		explain_transport(e, r, buf, size);
	} else if (strcmp(x->code, "NoSuchBucket") == 0) {
		(void)snprintf(buf, size, "no bucket %s at %s (check bucket, or create it)",
		    e->bucket, e->plain_host);
	} else if (strcmp(x->code, "InvalidAccessKeyId") == 0) {
		(void)snprintf(buf, size, "%s does not know the access key %s (check accessId)",
		    e->plain_host, key_id);
	} else if (x->code[0] != '\0') {
		(void)snprintf(buf, size, "%s answered %d %s%s%s%s%s%s", e->plain_host, r->status,
		    x->code, x->message[0] != '\0' ? ": " : "", x->message,
		    help != NULL ? " (" : "", help != NULL ? help : "", help != NULL ? ")" : "");
	} else if (r->status == 403) {
		(void)snprintf(buf, size,
		    "%s refused access (403): check accessId, accessKey and the "
		    "policy of bucket %s",
		    e->plain_host, e->bucket);
	} else {
		(void)snprintf(buf, size, "%s answered %d%s", e->plain_host, r->status,
		    f == FAIL_BAD_REPLY ? " with something that is not S3 (check baseURL)" : "");
	}
	for (char *p = buf; *p != '\0'; p++) /* one line, whatever the server sent */
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}
