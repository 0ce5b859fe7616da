/* SPDX-License-Identifier: ISC */
#include "uploader/s3_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/credentials.h"
#include "uploader/s3_explain.h"

#include "uploader/guard.h"

#define CLOCK_TOLERANCE_US (5 * (int64_t)US_PER_S)

static int64_t
iso_time_us(const char *s)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	return (strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) * 1000000 : 0);
}

/* RequestTimeTooSkewed: sign with the server's time from now on. */
static bool
heal_clock(struct s3 *s3, const struct http_reply *r, const struct xml_error *x)
{
	int64_t server =
	    x->server_time[0] != '\0' ? iso_time_us(x->server_time) : r->server_time_us;
	int64_t off = server - (int64_t)wall_us(), change = off - s3->signer.clock_off_us;

	if (server == 0 || (change < CLOCK_TOLERANCE_US && change > -CLOCK_TOLERANCE_US))
		return (false);
	s3->signer.clock_off_us = off;
	log_warn("the store's clock differs from ours, signing with its time: offset_s=%" PRId64,
	    off / 1000000);
	return (true);
}

/*
 * A store that takes checksums says so by a success; before one, any "do not understand" is put down to
 * them, later only one that names them.
 */
static bool
heal_checksums(struct s3 *s3, const struct s3_op *s, const struct xml_error *x, enum fail f)
{
	const struct http_reply *r = &s->http.reply;
	bool named =
	    strcasestr(x->message, "checksum") != NULL || strcasestr(x->code, "checksum") != NULL;

	if (!s->sent_checksum || (f != FAIL_UNSUPPORTED && f != FAIL_PERMANENT) ||
	    (r->status != 400 && r->status != 501) || (s3->checksums == CHECKSUMS_TAKEN && !named))
		return (false);
	if (s3->checksums != CHECKSUMS_REFUSED)
		log_info("the store does not take checksums: %d %s", r->status, x->code);
	s3->checksums = CHECKSUMS_REFUSED;
	return (true);
}

static void
learn(struct s3 *s3, struct s3_op *s)
{
	if (s->op->kind != STORE_PUT || s->op->reply.fail != FAIL_NONE)
		return;
	if (s->sent_checksum && s3->checksums == CHECKSUMS_UNKNOWN)
		s3->checksums = CHECKSUMS_TAKEN;
	s3_learn_from_put(s);
}

/* Is it the keys that the store does not like, rather than what is done with them? */
static bool
speaks_of_keys(const struct s3_op *s, const struct xml_error *x, enum fail f)
{
	return (f == FAIL_EXPIRED || strcmp(x->code, "InvalidAccessKeyId") == 0 ||
		strcmp(x->code, "InvalidToken") == 0 ||
		strcmp(x->code, "SignatureDoesNotMatch") == 0 ||
		(x->code[0] == '\0' && s->op->kind == STORE_STAT)); /* HEAD: no reason comes */
}

static bool
heal(struct s3 *s3, const struct s3_op *s, const struct xml_error *x, enum fail f)
{
	const struct http_reply *r = &s->http.reply;
	bool healed = false;

	/* It was signed before somebody else's failure put things right, or with keys of before. */
	if (((f == FAIL_CLOCK || f == FAIL_REGION) && s->generation != s3->generation) ||
	    ((f == FAIL_EXPIRED || f == FAIL_DENIED) &&
		s->keys != credentials_generation(s3->credentials)) ||
	    (s3->style_tried && s->generation < s3->style_generation))
		return (true);
	if (f == FAIL_CLOCK)
		healed = heal_clock(s3, r, x);
	else if (f == FAIL_REGION)
		healed = s3_place_region(s3, r, x) || s3_place_style(s3, r, x);
	else if (f == FAIL_EXPIRED || f == FAIL_DENIED)
		(void)credentials_refused(s3->credentials, speaks_of_keys(s, x, f));
	else if (f == FAIL_UNSUPPORTED && s->op->kind == STORE_LIST && !s3->list_v2)
		healed = s3->list_v2 = true; /* version 1 works everywhere, or so they say */
	else
		healed = s3_place_style(s3, r, x) || heal_checksums(s3, s, x, f);
	if (healed)
		s3->generation++;
	return (healed);
}

static void
count(struct s3 *s3, enum fail f, const struct http_reply *r)
{
	struct counters *c = s3->env.counters;

	if (f == FAIL_BAD_REPLY || f == FAIL_DATA)
		ctr_inc(c, bad_replies);
	if (r->status >= 500)
		ctr_inc(c, http_5xx);
	else if (r->status >= 400 && r->status != 404)
		ctr_inc(c, http_4xx);
}

/* May a request that changes something have done so, or do so yet? */
static void
judge_outcome(const struct s3_op *s, struct store_reply *out)
{
	const struct http_reply *r = &s->http.reply;
	enum store_kind k = s->op->kind;

	if (k != STORE_PUT && k != STORE_DELETE && k != STORE_DELETE_MANY && k != STORE_TOKEN_PUT)
		return;
	if (out->fail == FAIL_NONE || out->fail == FAIL_ABSENT) {
		out->unknown = r->replayed;
		return;
	}
	/* Without its last byte a request has no effect. */
	out->unknown = r->sent_all && (r->error < 0 || r->status < 300 || r->status == 500 ||
					  r->status == 502 || r->status == 504);
	out->may_land = out->unknown && (r->cut_by_us || r->status == 504);
}

static enum fail
classify(const struct s3_op *s, const struct xml_error *x)
{
	const struct http_reply *r = &s->http.reply;
	bool is_text = r->text_len > 0 && x->code[0] == '\0';

	if (r->error == -EBADMSG)
		return (FAIL_DATA);
	if (r->error == -ECANCELED && s->op->kind == STORE_STAT)
		return (FAIL_NONE);
	if (r->error == -EREMOTEIO)
		return (FAIL_TRANSIENT);
	return (fail_of(r->status, x->code, r->error, is_text));
}

void
s3_judge(struct s3 *s3, struct s3_op *s)
{
	const struct http_reply *r = &s->http.reply;
	const struct credential *c = credentials_get(s3->credentials);
	struct store_reply *out = &s->op->reply;
	struct xml_error x;

	(void)xml_error_parse(r->text, r->text_len, &x);
	out->fail = classify(s, &x);
	out->http = r->status;
	out->error = r->error == -ECANCELED ? 0 : r->error;
	out->retry_after_us = r->retry_after_us;
	out->bytes = r->received;
	(void)strlcpy(out->etag, r->etag, sizeof(out->etag));
	out->block_size = r->block_size;
	out->file_size = r->file_size;
	out->length = r->range_total != 0 ? r->range_total
		      : r->length > 0	  ? (uint64_t)r->length
					  : 0;
	(void)strlcpy(out->encoding, r->encoding, sizeof(out->encoding));
	(void)strlcpy(out->hmac, r->hmac, sizeof(out->hmac));
	out->has_token = r->has_token;
	out->token = r->token;
	/* S3 has no region in a redirect's status; a reply that names one has one to name. */
	if (out->fail == FAIL_DENIED && r->region[0] != '\0' &&
	    strcmp(r->region, s3->endpoint.region) != 0)
		out->fail = FAIL_REGION;
	judge_outcome(s, out);
	if (out->fail == FAIL_NONE)
		s3->place_proven = true;
	out->healed = heal(s3, s, &x, out->fail);
	learn(s3, s);
	count(s3, out->fail, r);
	out->object_bad = s->bad != NULL && s->op->kind == STORE_GET && r->received > 0;
	if (credentials_missing(s3->credentials) != NULL && r->status == 0)
		(void)snprintf(out->why, sizeof(out->why), "no credentials yet: %s",
		    credentials_missing(s3->credentials));
	else if (s->bad != NULL && s->op->kind == STORE_GET)
		(void)snprintf(out->why, sizeof(out->why), "object of block %" PRIu32 ": %s%s%s",
		    s->op->block, s->bad, s->encoding[0] != '\0' ? ": Content-Encoding=" : "",
		    s->encoding);
	else if (s->bad != NULL)
		(void)snprintf(
		    out->why, sizeof(out->why), "%s: %s", s3->endpoint.plain_host, s->bad);
	else
		s3_explain(&s3->endpoint, c != NULL ? c->id : "(none)", out->fail, r, &x, out->why,
		    sizeof(out->why));
}
