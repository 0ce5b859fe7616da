/* SPDX-License-Identifier: ISC */
#include "supervisor/health.h"

#include <stdio.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"

#include "common/counters.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

#define BAD_IN_A_ROW 2 /* one 503 is weather */

static uint64_t
sum(const struct super *s, const unsigned *counters, unsigned n)
{
	uint64_t total = 0;

	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs; p++)
		for (unsigned i = 0; i < n; i++)
			total += ctr_value(shm_counters(&s->shm, p), counters[i]);
	return (total);
}

void
health_look(struct super *s, uint64_t now)
{
	static const unsigned good[] = {
	    CTR_get_ok, CTR_put_ok, CTR_delete_ok, CTR_list_ok, CTR_token_ok};
	static const unsigned bad[] = {CTR_get_retried, CTR_put_retried, CTR_delete_retried,
	    CTR_list_retried, CTR_get_failed, CTR_put_failed, CTR_delete_failed, CTR_list_failed};
	uint64_t g = sum(s, good, sizeof(good) / sizeof(good[0]));
	uint64_t b = sum(s, bad, sizeof(bad) / sizeof(bad[0]));
	struct health *h = &s->health;

	if (g != h->good) {
		if (h->said)
			log_event(EVENT_STORE_BACK, LEVEL_INFO,
			    "the store answers again: failed_attempts=%llu",
			    (unsigned long long)h->bad_since_good);
		h->bad_since_good = 0;
		h->said = false;
	} else if (b != h->bad) {
		if (h->bad_since_good == 0)
			h->first_bad_us = now;
		h->bad_since_good += b - h->bad;
	}
	h->good = g;
	h->bad = b;
	if (!h->said && h->bad_since_good >= BAD_IN_A_ROW) {
		h->said = true;
		log_event(EVENT_STORE_AWAY, LEVEL_WARN,
		    "the store does not answer as it should; going on from the cache");
	}
}

bool
health_degraded(const struct super *s, char *why, size_t len)
{
	const struct health *h = &s->health;
	char t[48], reason[300] = "";

	if (h->bad_since_good < BAD_IN_A_ROW)
		return (false);
	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs && reason[0] == '\0'; p++)
		words_copy(s, p, reason, sizeof(reason));
	(void)snprintf(why, len, "the store has not done what was asked for %s, %llu attempts: %s",
	    duration_text(now_us() - h->first_bad_us, t, sizeof(t)),
	    (unsigned long long)h->bad_since_good, reason[0] != '\0' ? reason : "see the log");
	return (true);
}
