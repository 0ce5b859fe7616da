/* SPDX-License-Identifier: ISC */
/* test_retry.c -- classes of failures, pauses, and the budget that a store's outage meets. */
#include <errno.h>

#include "tests/unit/tap.h"
#include "ipc/pool.h"
#include "uploader/retry.h"

static void
classes(void)
{
	ok(fail_of(200, "", 0, false) == FAIL_NONE && fail_of(206, "", 0, false) == FAIL_NONE,
	    "2xx is success");
	is_int(
	    fail_of(200, "InternalError", 0, false), FAIL_TRANSIENT, "an error under 200 is none");
	is_int(fail_of(404, "NoSuchKey", 0, false), FAIL_ABSENT, "no such key: absent");
	is_int(fail_of(404, "", 0, false), FAIL_ABSENT, "404 without a word: absent");
	is_int(fail_of(404, "NoSuchBucket", 0, false), FAIL_PERMANENT,
	    "no bucket is not a zero block");
	is_int(fail_of(404, "", 0, true), FAIL_BAD_REPLY, "a proxy's 404 page is not a zero block");
	is_int(fail_of(403, "RequestTimeTooSkewed", 0, false), FAIL_CLOCK, "clock");
	is_int(fail_of(400, "AuthorizationHeaderMalformed", 0, false), FAIL_REGION, "region");
	is_int(fail_of(301, "", 0, false), FAIL_REGION, "301");
	is_int(fail_of(403, "SignatureDoesNotMatch", 0, false), FAIL_DENIED, "wrong secret");
	is_int(fail_of(503, "SlowDown", 0, false), FAIL_THROTTLED, "slow down");
	is_int(fail_of(500, "", 0, true), FAIL_TRANSIENT, "500 of a proxy");
	is_int(fail_of(501, "", 0, false), FAIL_UNSUPPORTED, "501");
	is_int(fail_of(412, "", 0, false), FAIL_CONDITION, "412");
	is_int(fail_of(400, "BadDigest", 0, false), FAIL_TRANSIENT, "damaged on the way: again");
	is_int(fail_of(400, "", 0, false), FAIL_PERMANENT, "other 400");
	is_int(fail_of(0, "", -ETIMEDOUT, false), FAIL_TRANSIENT, "timeout");
	is_int(fail_of(200, "", -EILSEQ, false), FAIL_BAD_REPLY, "too short");
	is_int(fail_errno(FAIL_TRANSIENT, 0, -ETIMEDOUT), -ETIMEDOUT, "errno of a timeout");
	is_int(fail_errno(FAIL_TRANSIENT, 0, -ECONNREFUSED), -ENXIO, "errno of no connection");
	is_int(fail_errno(FAIL_DENIED, 403, 0), -EPERM, "errno of 403");
	is_int(fail_errno(FAIL_DATA, 200, 0), -EIO, "errno of bad data");
}

static void
pauses(void)
{
	struct retry_policy p = {200000, 30000000}, forever = {200000, 0};
	struct retry r = {0};
	uint64_t pause = 0, sum = 0;
	unsigned n = 0;

	ok(retry_next(&r, &p, FAIL_TRANSIENT, 0, UINT32_MAX, &pause) && pause > 199000 &&
		pause <= 200000,
	    "the first pause is at most the initial one");
	ok(retry_next(&r, &p, FAIL_TRANSIENT, 0, UINT32_MAX, &pause) && pause > 399000 &&
		pause <= 400000,
	    "then twice that");
	ok(retry_next(&r, &p, FAIL_TRANSIENT, 0, 0, &pause) && pause == 0,
	    "jitter reaches down to 0");
	ok(retry_next(&r, &p, FAIL_DENIED, 0, 0, &pause) && pause >= 800000,
	    "what the user must heal is not asked at once");
	ok(retry_next(&r, &p, FAIL_THROTTLED, 5000000, 0, &pause) && pause >= 5000000 &&
		pause < 5500000,
	    "Retry-After, and a little for each to differ");
	r = (struct retry){0};
	while (retry_next(&r, &p, FAIL_TRANSIENT, 0, UINT32_MAX, &pause)) {
		sum += pause;
		n++;
	}
	ok(sum > 29900000 && sum <= 30000000, "gives up after 30 s of pauses");
	ok(n >= 10 && n <= 12, "which are 11 or so: %u", n);
	r = (struct retry){0};
	for (n = 0; n < 1000; n++)
		if (!retry_next(&r, &forever, FAIL_TRANSIENT, 0, UINT32_MAX, &pause))
			break;
	ok(n == 1000 && pause <= RETRY_PAUSE_CAP_US, "0 is for ever, and a pause has a cap");
	r = (struct retry){0};
	for (n = 0; n < 100000 && retry_next(&r, &p, FAIL_TRANSIENT, 0, 0, &pause);)
		n++;
	ok(n < 100000, "even pauses of nothing come to an end");
}

static void
budget(void)
{
	struct ipc_outage o = {.row = 0};
	unsigned n = 0;
	uint64_t now = 1000000, wait;

	while (retry_budget_take(&o, now) == 0)
		n++;
	is_int(n, RETRY_BURST, "a burst as large as the budget");
	wait = retry_budget_take(&o, now);
	ok(wait >= 62000 && wait <= 63000, "then sixteen a second: %llu", (unsigned long long)wait);
	is_int(retry_budget_take(&o, now + wait), 0, "which may go when it was told to");
	for (n = 0; n < 10; n++)
		(void)retry_outage_success(&o, now + wait);
	is_int(retry_budget_take(&o, now + wait), 0, "ten successes pay for one retry");
	for (n = 0; n < 1000; n++)
		(void)retry_outage_success(&o, now + wait);
	for (n = 0; retry_budget_take(&o, now + wait) == 0;)
		n++;
	is_int(n, RETRY_BURST, "it does not grow without bound");
	for (n = 0; n < 600 && retry_budget_take(&o, now + wait + n * 100) != 0;)
		n++;
	ok(n == 600, "asking often does not lose");
	is_int(retry_budget_take(&o, now + wait + 63000), 0, "what was earned in small pieces");
	atomic_store(&o.retry_us, UINT64_MAX / 2);
	is_int(retry_budget_take(&o, now), 0, "a damaged word stops nobody");
}

static void
outage(void)
{
	struct ipc_outage o = {.row = 0};
	uint64_t now = 1000000, sent = 0;
	bool began = false;

	for (unsigned i = 0; i < 100; i++)
		began = began || retry_outage_failure(&o, now + i);
	ok(!began && retry_outage_take(&o, now) == 0, "many failures at once are no outage");
	ok(retry_outage_failure(&o, now + RETRY_OUTAGE_AFTER_US), "nothing else for a while is");
	ok(!retry_outage_failure(&o, now + RETRY_OUTAGE_AFTER_US), "which one of all is told");
	now += RETRY_OUTAGE_AFTER_US;
	is_int(retry_outage_take(&o, now), RETRY_PROBE_US, "then there is a pause");
	/* An hour of 500 requests that all want to go, each probe answered after 10 ms. */
	for (uint64_t end = now + UINT64_C(3600000000), t = now; t < end; t += 10000)
		for (unsigned i = 0; i < 500; i++)
			if (retry_outage_take(&o, t) == 0) {
				sent++;
				retry_outage_answered(&o, t + 10000);
			}
	ok(sent >= 3400 && sent <= 3600, "an hour costs a probe a second: %u", (unsigned)sent);
	now += UINT64_C(3600000000);
	ok(retry_outage_take(&o, now + RETRY_PROBE_US) == 0, "a probe whose process has died");
	is_int(retry_outage_take(&o, now + RETRY_PROBE_US + 1), RETRY_PROBE_LIMIT_US - 1,
	    "holds the next one up, but not for ever");
	atomic_store(&o.probe_us, UINT64_MAX / 2);
	ok(retry_outage_take(&o, now) == 0, "nor does a damaged word");
	ok(retry_outage_success(&o, now) > UINT64_C(3600000000), "a success ends it");
	is_int(retry_outage_success(&o, now), 0, "which one of all is told, too");
	is_int(atomic_load(&o.ended), 1, "and the others can see");
	ok(retry_outage_take(&o, now) == 0, "and everybody may go");
}

int
main(void)
{
	classes();
	pauses();
	budget();
	outage();
	return (tap_done());
}
