/* SPDX-License-Identifier: ISC */
#include "supervisor/health.h"

#include <inttypes.h>
#include <stdio.h>

#include "ipc/pool.h"
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

static const struct {
	const char *name, *never;
	unsigned good[2], bad[4];
} of_way[POOL_WAYS] = {
    [POOL_READS] = {"reads", "served no reads", {CTR_get_ok, CTR_list_ok},
	{CTR_get_retried, CTR_get_failed, CTR_list_retried, CTR_list_failed}},
    [POOL_CHANGES] = {"changes", "taken no changes", {CTR_put_ok, CTR_delete_ok},
	{CTR_put_retried, CTR_put_failed, CTR_delete_retried, CTR_delete_failed}},
};

static void
look_at(struct super *s, unsigned way, bool good, uint64_t now)
{
	uint64_t b = sum(s, of_way[way].bad, 4);
	struct health *h = &s->health[way];

	if (good) {
		if (h->said)
			log_event(EVENT_STORE_BACK, LEVEL_INFO,
			    "the store answers %s again: failed_attempts=%" PRIu64,
			    of_way[way].name, h->bad_since_good);
		h->bad_since_good = 0;
		h->said = false;
	} else if (b != h->bad) {
		if (h->bad_since_good == 0)
			h->first_bad_us = now;
		h->bad_since_good += b - h->bad;
	}
	h->bad = b;
	if (!h->said && h->bad_since_good >= BAD_IN_A_ROW) {
		h->said = true;
		log_event(EVENT_STORE_AWAY, LEVEL_WARN,
		    "the store does not answer %s as it should; going on from the cache",
		    of_way[way].name);
	}
}

void
health_look(struct super *s, uint64_t now)
{
	static const unsigned token[] = {CTR_token_ok};
	uint64_t t = sum(s, token, 1);
	bool renewed = t != s->token_renewed;

	s->token_renewed = t;
	for (unsigned i = 0; i < POOL_WAYS; i++) {
		uint64_t g = sum(s, of_way[i].good, 2);
		bool good = g != s->health[i].good;

		s->health[i].good = g;
		/* With nothing else to send, the token shows that the store is back; else it shows little. */
		if (renewed && atomic_load(&shm_pool(&s->shm)->way[i].outage.on) == 0)
			good = true;
		look_at(s, i, good, now);
	}
}

bool
health_degraded(const struct super *s, char *why, size_t len)
{
	const struct health *h = s->health;
	char t[48], reason[300] = "";
	unsigned way = 0;

	while (way < POOL_WAYS && h[way].bad_since_good < BAD_IN_A_ROW)
		way++;
	if (way == POOL_WAYS)
		return (false);
	h += way;
	for (uint32_t p = PROC_UPLOADER0; p < s->nprocs && reason[0] == '\0'; p++)
		words_copy(s, p, reason, sizeof(reason));
	(void)snprintf(why, len, "the store has %s for %s, %" PRIu64 " attempts: %s",
	    of_way[way].never, duration_text(now_us() - h->first_bad_us, t, sizeof(t)),
	    h->bad_since_good, reason[0] != '\0' ? reason : "see the log");
	return (true);
}
