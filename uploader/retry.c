/* SPDX-License-Identifier: ISC */
#include "uploader/retry.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/blockmath.h"

#include "uploader/guard.h"

/* Codes that say more than the status they come with; "Error Responses" of the S3 API reference. */
static const struct {
	const char *code;
	enum fail fail;
} by_code[] = {
    {"NoSuchKey", FAIL_ABSENT},
    {"NoSuchBucket", FAIL_PERMANENT},
    {"SlowDown", FAIL_THROTTLED},
    {"RequestLimitExceeded", FAIL_THROTTLED},
    {"Throttling", FAIL_THROTTLED},
    {"RequestTimeTooSkewed", FAIL_CLOCK},
    {"RequestExpired", FAIL_CLOCK},
    {"AuthorizationHeaderMalformed", FAIL_REGION},
    {"PermanentRedirect", FAIL_REGION},
    {"TemporaryRedirect", FAIL_REGION},
    {"IllegalLocationConstraintException", FAIL_REGION},
    {"ExpiredToken", FAIL_EXPIRED},
    {"TokenRefreshRequired", FAIL_EXPIRED},
    {"NotImplemented", FAIL_UNSUPPORTED},
    {"MethodNotAllowed", FAIL_UNSUPPORTED},
    {"PreconditionFailed", FAIL_CONDITION},
    {"ConditionalRequestConflict", FAIL_TRANSIENT},
    {"OperationAborted", FAIL_TRANSIENT},
    {"RequestTimeout", FAIL_TRANSIENT},
    {"IncompleteBody", FAIL_TRANSIENT},
    {"BadDigest", FAIL_TRANSIENT},
    {"XAmzContentSHA256Mismatch", FAIL_TRANSIENT},
    {"XAmzContentChecksumMismatch", FAIL_TRANSIENT},
    {"InternalError", FAIL_TRANSIENT},
    {"ServiceUnavailable", FAIL_TRANSIENT},
};

enum fail
fail_of(int http, const char *code, int error, bool is_text)
{
	if (http == 0 || error < 0)
		return (error == -EILSEQ ? FAIL_BAD_REPLY : FAIL_TRANSIENT);
	if (http >= 200 && http < 300 && *code == '\0')
		return (FAIL_NONE);
	for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++)
		if (strcmp(by_code[i].code, code) == 0)
			return (by_code[i].fail);
	switch (http) {
	case 404:
		/*
		 * Some stores send no document.  But what some proxy has to say about a page that it
		 * could not find must not turn a block into zeros.
		 */
		return (is_text ? FAIL_BAD_REPLY : *code == '\0' ? FAIL_ABSENT : FAIL_PERMANENT);
	case 412:
		return (FAIL_CONDITION);
	case 401:
	case 403:
		return (FAIL_DENIED);
	case 405:
	case 501:
		return (FAIL_UNSUPPORTED);
	case 408:
		return (FAIL_TRANSIENT);
	case 409:
		return (FAIL_TRANSIENT);
	case 429:
		return (FAIL_THROTTLED);
	default:
		break;
	}
	if (http >= 500 || http < 300) /* an error document under 200 is a failure of the server */
		return (FAIL_TRANSIENT);
	return (http < 400 ? FAIL_REGION : FAIL_PERMANENT);
}

const char *
fail_name(enum fail f)
{
	static const char *const names[] = {"none", "absent", "condition", "transient", "throttled",
	    "bad reply", "clock", "region", "expired", "unsupported", "denied", "permanent",
	    "data"};

	return (f < sizeof(names) / sizeof(names[0]) ? names[f] : "?");
}

bool
fail_heals(enum fail f)
{
	return (f == FAIL_TRANSIENT || f == FAIL_THROTTLED || f == FAIL_BAD_REPLY ||
		f == FAIL_CLOCK || f == FAIL_REGION || f == FAIL_EXPIRED);
}

int
fail_errno(enum fail f, int http, int error)
{
	if (f == FAIL_NONE || f == FAIL_ABSENT)
		return (0);
	if (f == FAIL_DATA || f == FAIL_BAD_REPLY)
		return (-EIO);
	if (error == -ETIMEDOUT)
		return (-ETIMEDOUT);
	if (error < 0)
		return (-ENXIO);
	if (http == 401)
		return (-EACCES);
	if (http == 403)
		return (-EPERM);
	if (http == 412)
		return (-ESTALE);
	if (f == FAIL_UNSUPPORTED)
		return (-EOPNOTSUPP);
	return (http >= 300 && http < 400 ? -ELOOP : -EIO);
}

bool
retry_next(struct retry *r, const struct retry_policy *p, enum fail f, uint64_t after_us,
    uint32_t random, uint64_t *ret_pause_us)
{
	unsigned doublings = r->tries < 20 ? r->tries : 20;
	uint64_t cap =
	    min_u64(p->initial_us << doublings, max_u64(RETRY_PAUSE_CAP_US, p->initial_us));
	uint64_t pause = (uint64_t)random * cap >> 32;

	/* What only the user can heal is asked rarely, but asked: keys and policies do get repaired. */
	if (!fail_heals(f))
		pause = cap / 2 + pause / 2;
	if (f == FAIL_THROTTLED)
		pause = max_u64(pause, cap / 4);
	if (after_us > 0) /* no earlier, and not all at the same moment */
		pause = min_u64(after_us, RETRY_AFTER_MAX_US) + pause / 8;
	if (p->give_up_us > 0) {
		if (r->paused_us >= p->give_up_us)
			return (false);
		pause = min_u64(pause, p->give_up_us - r->paused_us);
	}
	r->tries++;
	/* A pause of nothing would never use the sum up. */
	r->paused_us += max_u64(pause, 1000);
	*ret_pause_us = pause;
	return (true);
}

void
retry_budget_init(struct retry_budget *b, unsigned tokens, unsigned per_s, uint64_t now)
{
	b->milli = b->max_milli = (uint64_t)tokens * 1000;
	b->per_s_milli = (uint64_t)per_s * 1000;
	b->last_us = now;
}

void
retry_budget_success(struct retry_budget *b)
{
	b->milli = min_u64(b->milli + 100, b->max_milli);
}

uint64_t
retry_budget_take(struct retry_budget *b, uint64_t now)
{
	if (now > b->last_us) {
		uint64_t earned = (now - b->last_us) * b->per_s_milli / 1000000;

		b->milli = min_u64(b->milli + earned, b->max_milli);
		/* Keep what was too little to earn a thousandth. */
		if (earned > 0)
			b->last_us = now;
	}
	if (b->milli >= 1000) {
		b->milli -= 1000;
		return (0);
	}
	return (max_u64((1000 - b->milli) * 1000000 / b->per_s_milli, 1000));
}

bool
retry_outage_failure(struct retry_outage *o, uint64_t now)
{
	if (o->row++ == 0)
		o->first_us = now;
	if (o->on || o->row < RETRY_OUTAGE_ROW || now - o->first_us < RETRY_OUTAGE_AFTER_US)
		return (false);
	o->on = true;
	o->probing = false;
	o->probe_us = now;
	return (true);
}

uint64_t
retry_outage_success(struct retry_outage *o, uint64_t now)
{
	uint64_t lasted = o->on ? now - o->first_us : 0;

	*o = (struct retry_outage){0};
	return (lasted);
}

uint64_t
retry_outage_take(struct retry_outage *o, uint64_t now)
{
	uint64_t at = o->probe_us + (o->probing ? RETRY_PROBE_LIMIT_US : RETRY_PROBE_US);

	if (!o->on)
		return (0);
	if (now < at)
		return (at - now);
	o->probing = true;
	o->probe_us = now;
	return (0);
}

void
retry_outage_answered(struct retry_outage *o, uint64_t now)
{
	o->probing = false;
	o->probe_us = now;
}
