/* SPDX-License-Identifier: ISC */
#include "uploader/retry.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/blockmath.h"
#include "ipc/pool.h"

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
    {"SecondLevelDomainForbidden", FAIL_REGION},
    {"PathStyleDomainForbidden", FAIL_REGION},
    {"InvalidPathAccess", FAIL_REGION},
    {"VirtualHostDomainRequired", FAIL_REGION},
    {"ExpiredToken", FAIL_EXPIRED},
    {"ExpiredTokenException", FAIL_EXPIRED},
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

/* ---- shared by the pool ------------------------------------------------------------------ */
#define COST_US	  (UINT64_C(1000000) / RETRY_PER_S) /* of one retry */
#define BUDGET_US (RETRY_BURST * COST_US)

/* The generic cell rate algorithm, as in bandwidth.h: until when the budget is spent. */
uint64_t
retry_budget_take(struct ipc_outage *o, uint64_t now)
{
	uint64_t at = atomic_load(&o->retry_us), from;

	do {
		from = at > now && at - now <= BUDGET_US ? at : now; /* a later time is damage */
		if (from + COST_US - now > BUDGET_US)
			return (max_u64(from + COST_US - now - BUDGET_US, 1000));
	} while (!atomic_compare_exchange_weak(&o->retry_us, &at, from + COST_US));
	return (0);
}

static void
budget_success(struct ipc_outage *o, uint64_t now)
{
	uint64_t at = atomic_load_explicit(&o->retry_us, memory_order_relaxed);

	/* Once is enough: who was faster has changed it by as much. */
	if (at > now)
		(void)atomic_compare_exchange_strong(&o->retry_us, &at, at - COST_US / 10);
}

bool
retry_outage_on(const struct ipc_outage *o)
{
	return (atomic_load_explicit(&o->on, memory_order_relaxed) != 0);
}

bool
retry_outage_failure(struct ipc_outage *o, uint64_t now)
{
	uint64_t first = 0;
	uint32_t off = 0, row;

	if (atomic_compare_exchange_strong(&o->first_us, &first, now))
		first = now;
	row = atomic_fetch_add(&o->row, 1) + 1;
	if (retry_outage_on(o) || row < RETRY_OUTAGE_ROW || now < first ||
	    now - first < RETRY_OUTAGE_AFTER_US)
		return (false);
	/* The pause before the first probe is there before anybody looks for it. */
	atomic_store(&o->probe_us, now + RETRY_PROBE_US);
	return (atomic_compare_exchange_strong(&o->on, &off, 1));
}

uint64_t
retry_outage_success(struct ipc_outage *o, uint64_t now)
{
	uint64_t first;

	budget_success(o, now);
	/* As a rule there is nothing to be set back, and the line stays shared. */
	if (atomic_load_explicit(&o->row, memory_order_relaxed) == 0 && !retry_outage_on(o))
		return (0);
	first = atomic_exchange(&o->first_us, 0);
	atomic_store(&o->row, 0);
	if (atomic_exchange(&o->on, 0) == 0)
		return (0);
	atomic_fetch_add(&o->ended, 1);
	return (first != 0 && first < now ? now - first : 1);
}

uint64_t
retry_outage_take(struct ipc_outage *o, uint64_t now)
{
	uint64_t at = atomic_load(&o->probe_us);

	if (!retry_outage_on(o))
		return (0);
	if (at > now && at - now <= RETRY_PROBE_LIMIT_US)
		return (at - now);
	/* One of all wins; should it die, the next one goes after its limit. */
	if (!atomic_compare_exchange_strong(&o->probe_us, &at, now + RETRY_PROBE_LIMIT_US))
		return (RETRY_PROBE_US);
	return (0);
}

void
retry_outage_answered(struct ipc_outage *o, uint64_t now)
{
	atomic_store(&o->probe_us, now + RETRY_PROBE_US);
}
