/* SPDX-License-Identifier: ISC */
/*
 * auth.c -- is this request who it says it is? (see auth.h)
 *
 * The order of the checks is S3's, as far as it can be seen from outside: form, clock, key, token,
 * region, signature.  x-amz- headers that are not under the signature are refused, as S3 does.
 */
#include "tests/server/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>

#include "tests/server/cond.h"
#include "tests/server/creds.h"
#include "tests/server/digest.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/request.h"
#include "tests/server/text.h"

static bool
refuse(struct request *rq, int status, const char *code, const char *message, const char *extra)
{
	stats_add(STAT_AUTH_FAILURES, 1);
	reply_error(rq, status, code, message, extra);
	return (false);
}

static bool
malformed(struct request *rq, const char *message)
{
	return (refuse(rq, 400, "AuthorizationHeaderMalformed", message, NULL));
}

static bool
same(const char *a, const char *b)
{
	size_t len = strlen(a);

	return (len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0);
}

static bool
check_clock(struct request *rq, const char *date)
{
	int64_t now = request_clock(rq);
	struct text extra = TEXT_EMPTY;
	char text[40];
	time_t t;

	if (date == NULL || date_parse(date, &t) < 0)
		return (refuse(rq, 403, "AccessDenied",
		    "AWS authentication requires a valid Date or x-amz-date header", NULL));
	if (llabs((long long)(now - t)) <= opt.max_skew_s)
		return (true);
	text_puts(&extra, "<RequestTime>");
	text_xml(&extra, date);
	date_iso((time_t)now, text);
	text[19] = 'Z'; /* without the milliseconds */
	text[20] = '\0';
	text_printf(&extra,
	    "</RequestTime><ServerTime>%s</ServerTime>"
	    "<MaxAllowedSkewMilliseconds>%d</MaxAllowedSkewMilliseconds>",
	    text, opt.max_skew_s * 1000);
	refuse(rq, 403, "RequestTimeTooSkewed",
	    "The difference between the request time and the current time is too large.", extra.s);
	text_free(&extra);
	return (false);
}

/* Temporary keys work with their token only, and long-term keys have none. */
static bool
check_token(struct request *rq, const struct creds *c)
{
	const char *token = request_header(rq, "x-amz-security-token");

	if (c->token == NULL && token == NULL)
		return (true);
	if (c->token != NULL && token == NULL)
		return (refuse(rq, 403, "InvalidAccessKeyId",
		    "The AWS Access Key Id you provided does not exist in our records.", NULL));
	if (c->token != NULL && same(c->token, token)) {
		if (c->expires == 0 || c->expires > request_clock(rq))
			return (true);
		return (refuse(rq, 400, "ExpiredToken", "The provided token has expired.", NULL));
	}
	return (refuse(rq, 400, "InvalidToken",
	    "The provided token is malformed or otherwise invalid.", NULL));
}

static bool
find_creds(struct request *rq, const char *id, struct creds *ret_creds)
{
	struct text extra = TEXT_EMPTY;

	if (creds_find(id, ret_creds) == 0)
		return (true);
	text_puts(&extra, "<AWSAccessKeyId>");
	text_xml(&extra, id);
	text_puts(&extra, "</AWSAccessKeyId>");
	refuse(rq, 403, "InvalidAccessKeyId",
	    "The AWS Access Key Id you provided does not exist in our records.", extra.s);
	text_free(&extra);
	return (false);
}

static bool
check_region(struct request *rq, const char *region)
{
	struct text extra = TEXT_EMPTY, message = TEXT_EMPTY;

	if (strcmp(region, opt.region) == 0 || strcmp(opt.region, "any") == 0)
		return (true);
	if (opt.redirect_region) {
		text_puts(&extra, "<Bucket>");
		text_xml(&extra, rq->bucket ? rq->bucket : "");
		text_printf(
		    &extra, "</Bucket><Endpoint>s3.%s.amazonaws.com</Endpoint>", opt.region);
		refuse(rq, 301, "PermanentRedirect",
		    "The bucket you are attempting to access must be addressed using the specified "
		    "endpoint.",
		    extra.s);
	} else {
		text_printf(&extra, "<Region>%s</Region>", opt.region);
		text_printf(&message,
		    "The authorization header is malformed; the region '%s' is "
		    "wrong; expecting '%s'",
		    region, opt.region);
		refuse(rq, 400, "AuthorizationHeaderMalformed", message.s, extra.s);
	}
	reply_header(rq, "x-amz-bucket-region", opt.region);
	text_free(&extra);
	text_free(&message);
	return (false);
}

static bool
is_signed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; *p != '\0'; p += *p == ';') {
		size_t n = strcspn(p, ";");

		if (n == len && strncasecmp(p, name, n) == 0)
			return (true);
		p += n;
	}
	return (false);
}

static bool
check_signed_headers(struct request *rq, const char *list)
{
	if (!is_signed(list, "host"))
		return (refuse(rq, 403, "AccessDenied", "The host header was not signed", NULL));
	for (int i = 0; i < rq->nhdr; i++) {
		const char *name = rq->hdr[i].name;

		if ((strncasecmp(name, "x-amz-", 6) == 0 || strcasecmp(name, "content-md5") == 0) &&
		    !is_signed(list, name))
			return (refuse(rq, 403, "AccessDenied",
			    "There were headers present in the request which were not signed",
			    NULL));
	}
	return (true);
}

/* What the client should have signed: the quickest way to see who is wrong. */
static bool
mismatch(struct request *rq, const char *id, const char *given, const struct text *string,
    const struct text *canonical)
{
	struct text extra = TEXT_EMPTY;

	text_puts(&extra, "<AWSAccessKeyId>");
	text_xml(&extra, id);
	text_puts(&extra, "</AWSAccessKeyId><StringToSign>");
	text_xml(&extra, string->s);
	text_puts(&extra, "</StringToSign><SignatureProvided>");
	text_xml(&extra, given);
	text_puts(&extra, "</SignatureProvided>");
	if (canonical != NULL) {
		text_puts(&extra, "<CanonicalRequest>");
		text_xml(&extra, canonical->s);
		text_puts(&extra, "</CanonicalRequest>");
	}
	refuse(rq, 403, "SignatureDoesNotMatch",
	    "The request signature we calculated does not match the signature you provided. "
	    "Check your key and signing method.",
	    extra.s);
	text_free(&extra);
	return (false);
}

static struct sign_input
input_of(const struct request *rq)
{
	return ((struct sign_input){rq->method, rq->raw_path, rq->raw_query, rq->hdr, rq->nhdr});
}

static bool
check_signature4(struct request *rq, const struct sigv4 *a, const struct creds *c,
    const char *payload, const char *date)
{
	struct sign_input in = input_of(rq);
	struct text canonical = TEXT_EMPTY, string = TEXT_EMPTY;
	char amz_date[40], hex[65];
	struct tm tm;
	bool good;
	time_t t = 0;

	/* A Date header in HTTP form counts in the other form. */
	date_parse(date, &t);
	strftime(amz_date, sizeof(amz_date), "%Y%m%dT%H%M%SZ", gmtime_r(&t, &tm));
	if (sigv4_canonical(&in, a->signed_headers, payload, &canonical) < 0)
		return (refuse(rq, 400, "InvalidURI", "Couldn't parse the specified URI.", NULL));
	sigv4_string(a, amz_date, canonical.s, &string);
	sigv4_sign(a, c->secret, string.s, hex);
	good = same(hex, a->signature);
	if (!good)
		mismatch(rq, a->id, a->signature, &string, &canonical);
	text_free(&canonical);
	text_free(&string);
	if (good && strncmp(amz_date, a->date, 8) != 0)
		return (malformed(rq, "The credential date is not the request's date."));
	return (good);
}

static bool
check4(struct request *rq, const char *authorization)
{
	const char *date = request_header(rq, "x-amz-date");
	const char *payload = request_header(rq, "x-amz-content-sha256");
	struct creds c = {0};
	struct sigv4 a;
	bool good;

	if (date == NULL)
		date = request_header(rq, "Date");
	if (sigv4_parse(authorization, &a) < 0)
		return (malformed(rq, "The authorization header is malformed."));
	if (payload == NULL)
		good = refuse(rq, 400, "InvalidRequest",
		    "Missing required header for this request: x-amz-content-sha256", NULL);
	else if (strcmp(a.service, "s3") != 0)
		good = malformed(rq, "The authorization header is malformed; incorrect service. "
				     "This endpoint belongs to \"s3\".");
	else
		good = check_clock(rq, date) && find_creds(rq, a.id, &c) && check_token(rq, &c) &&
		       check_region(rq, a.region) && check_signed_headers(rq, a.signed_headers) &&
		       check_signature4(rq, &a, &c, payload, date);
	creds_free(&c);
	sigv4_free(&a);
	return (good);
}

static bool
check2(struct request *rq, const char *value)
{
	struct sign_input in = input_of(rq);
	const char *colon = strrchr(value, ':'), *date = request_header(rq, "x-amz-date");
	struct text string = TEXT_EMPTY;
	struct creds c = {0};
	char base64[32], *id;
	bool good;

	if (colon == NULL)
		return (malformed(rq, "The authorization header is malformed."));
	if (date == NULL)
		date = request_header(rq, "Date");
	id = xstrndup(value, (size_t)(colon - value));
	good = check_clock(rq, date) && find_creds(rq, id, &c) && check_token(rq, &c);
	if (good) {
		sigv2_string(&in, rq->vhost ? rq->bucket : NULL, &string);
		sigv2_sign(c.secret, string.s, base64);
		good = same(base64, colon + 1);
		if (!good)
			mismatch(rq, id, colon + 1, &string, NULL);
	}
	text_free(&string);
	creds_free(&c);
	free(id);
	return (good);
}

bool
auth_check(struct request *rq)
{
	const char *authorization = request_header(rq, "Authorization");

	if (authorization == NULL) {
		if (opt.anonymous)
			return (true);
		return (refuse(rq, 403, "AccessDenied", "Access Denied", NULL));
	}
	if (strncmp(authorization, "AWS4-", 5) == 0)
		return (check4(rq, authorization));
	if (strncmp(authorization, "AWS ", 4) == 0)
		return (check2(rq, authorization + 4));
	return (refuse(rq, 400, "InvalidArgument", "Unsupported Authorization Type", NULL));
}
