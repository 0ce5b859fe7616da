/* SPDX-License-Identifier: ISC */
/*
 * metrics.c -- the figures as Prometheus text, exposition format 0.0.4.
 *
 * One family each for what counters.def counts, summed over the processes, in base units: what is
 * counted in microseconds is shown in seconds.  What belongs together differs by a label: the verb of a
 * request, the cause of a retry, the role of a process.  The label `disk` is the name of the disk, so
 * that one server can hold several.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/conf.h"
#include "common/counters.h"
#include "common/timeutil.h"

#include "supervisor/status.h"
#include "supervisor/super.h"
#include "supervisor/usage.h"

#include "supervisor/guard.h"

struct page {
	FILE *out;
	const struct super *s;
	char disk[256]; /* the label's value, escaped */
};

static void
head(struct page *p, const char *name, const char *type, const char *help)
{
	(void)fprintf(
	    p->out, "# HELP s3backer_%s %s\n# TYPE s3backer_%s %s\n", name, help, name, type);
}

/* more: further labels, ,key="value". */
static void
value(struct page *p, const char *name, const char *more, double v)
{
	(void)fprintf(p->out, "s3backer_%s{disk=\"%s\"%s} %.17g\n", name, p->disk, more, v);
}

static void
put(struct page *p, const char *name, const char *type, const char *help, double v)
{
	head(p, name, type, help);
	value(p, name, "", v);
}

static uint64_t
sum(const struct super *s, unsigned ctr)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < s->nprocs; i++)
		total += ctr_value(shm_counters(&s->shm, i), ctr);
	return (total);
}

/* ---- counters ------------------------------------------------------------------------------- */

/* "throttled_us" is a counter of seconds; everything else is a number of things. */
static void
put_counter(struct page *p, unsigned i)
{
	const char *name = counter_info[i].name;
	size_t len = strlen(name);
	char full[80];

	if (strcmp(counter_info[i].unit, "microseconds") == 0 && len > 3) {
		(void)snprintf(full, sizeof(full), "%.*s_seconds_total", (int)len - 3, name);
		put(p, full, "counter", counter_info[i].text, (double)sum(p->s, i) / US_PER_S);
		return;
	}
	(void)snprintf(full, sizeof(full), "%s_total", name);
	put(p, full, "counter", counter_info[i].text, (double)sum(p->s, i));
}

static const struct {
	const char *cause;
	unsigned ctr;
} causes[] = {{"transient", CTR_retry_transient}, {"throttled", CTR_retry_throttled},
    {"bad_reply", CTR_retry_bad_reply}, {"clock", CTR_retry_clock}, {"region", CTR_retry_region},
    {"denied", CTR_retry_denied}};

static bool
is_cause(unsigned ctr)
{
	for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].ctr == ctr)
			return (true);
	return (false);
}

static void
put_counters(struct page *p)
{
	char label[64];

	for (unsigned i = 0; i < CTR_COUNT; i++)
		if (i != CTR_in_flight && !is_cause(i)) /* a gauge, below; one family, here */
			put_counter(p, i);
	head(p, "retries_total", "counter", "Requests sent again, by what had gone wrong.");
	for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		(void)snprintf(label, sizeof(label), ",cause=\"%s\"", causes[i].cause);
		value(p, "retries_total", label, (double)sum(p->s, causes[i].ctr));
	}
}

/* ---- histograms ----------------------------------------------------------------------------- */

static void
put_histogram(struct page *p, const char *name, const char *op, enum histogram_id id)
{
	static const uint32_t bound[HIST_NBOUNDS] = {HIST_BOUNDS};
	uint64_t n[HIST_NBOUNDS + 1] = {0}, sum_us = 0, all = 0;
	char full[96], label[96];

	for (uint32_t i = 0; i < p->s->nprocs; i++) {
		struct histogram *h = &shm_counters(&p->s->shm, i)->hist[id];

		for (unsigned b = 0; b <= HIST_NBOUNDS; b++)
			n[b] += atomic_load_explicit(&h->n[b], memory_order_relaxed);
		sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
	}
	(void)snprintf(full, sizeof(full), "%s_bucket", name);
	for (unsigned b = 0; b <= HIST_NBOUNDS; b++) {
		all += n[b];
		if (b < HIST_NBOUNDS)
			(void)snprintf(label, sizeof(label), ",op=\"%s\",le=\"%g\"", op,
			    (double)bound[b] / US_PER_S);
		else
			(void)snprintf(label, sizeof(label), ",op=\"%s\",le=\"+Inf\"", op);
		value(p, full, label, (double)all);
	}
	(void)snprintf(label, sizeof(label), ",op=\"%s\"", op);
	(void)snprintf(full, sizeof(full), "%s_sum", name);
	value(p, full, label, (double)sum_us / US_PER_S);
	(void)snprintf(full, sizeof(full), "%s_count", name);
	value(p, full, label, (double)all);
}

static void
put_histograms(struct page *p)
{
	static const char store[] = "store_request_duration_seconds";
	static const char disk[] = "disk_request_duration_seconds";

	head(p, store, "histogram", "Requests to the store that succeeded, with their retries.");
	put_histogram(p, store, "get", HIST_GET);
	put_histogram(p, store, "put", HIST_PUT);
	put_histogram(p, store, "delete", HIST_DELETE);
	put_histogram(p, store, "list", HIST_LIST);
	head(p, disk, "histogram",
	    "Requests to the disk, from the kernel's question to the answer.");
	put_histogram(p, disk, "read", HIST_READ);
	put_histogram(p, disk, "write", HIST_WRITE);
	put_histogram(p, disk, "flush", HIST_FLUSH);
}

/* ---- what is now ---------------------------------------------------------------------------- */

static void
put_processes(struct page *p)
{
	const struct super *s = p->s;
	char label[64], name[32];

	head(p, "process_restarts_total", "counter", "Processes that were replaced.");
	for (uint32_t i = PROC_FRONTEND; i < s->nprocs; i++) {
		(void)snprintf(
		    label, sizeof(label), ",role=\"%s\"", proc_name(i, name, sizeof(name)));
		value(p, "process_restarts_total", label,
		    (double)atomic_load(&shm_proc(&s->shm, i)->restarts));
	}
}

static void
put_usage(struct page *p)
{
	struct usage_sum day, month;
	uint64_t stored;

	if (usage_now(p->s, &day, &month)) {
		head(p, "cost_estimate_dollars", "gauge",
		    "Requests and traffic at the prices of the configuration, by UTC day and "
		    "month.");
		value(p, "cost_estimate_dollars", ",period=\"today\"", usage_dollars(p->s, &day));
		value(p, "cost_estimate_dollars", ",period=\"month\"", usage_dollars(p->s, &month));
	}
	if (usage_stored(p->s, &stored))
		put(p, "stored_bytes", "gauge", "Blocks in the bucket, uncompressed.",
		    (double)stored);
}

static void
put_gauges(struct page *p)
{
	const struct super *s = p->s;
	const struct ipc_state *st = shm_state(&s->shm);
	uint64_t oldest = atomic_load(&st->oldest_dirty_us), now = now_us();
	char label[512];

	(void)snprintf(label, sizeof(label), ",version=\"%s\"", S3B_VERSION);
	head(p, "build_info", "gauge", "1; the version is in the label.");
	value(p, "build_info", label, 1);
	put(p, "disk_bytes", "gauge", "Size of the disk.", (double)s->size);
	put(p, "block_bytes", "gauge", "Size of a block.", s->shm.geo.block_size);
	put(p, "cache_slots", "gauge", "Slots of the cache.", s->shm.geo.nslots);
	put(p, "cache_used_slots", "gauge", "Slots that hold a block.",
	    (double)atomic_load(&st->used_slots));
	put(p, "dirty_bytes", "gauge", "Bytes that the bucket does not hold yet.",
	    (double)status_dirty_bytes(s));
	put(p, "pending_deletes", "gauge", "Trimmed blocks whose objects may still exist.",
	    (double)atomic_load(&st->pending_deletes));
	put(p, "oldest_dirty_seconds", "gauge",
	    "Age of the oldest change that is not in the bucket.",
	    oldest == 0 || oldest > now ? 0 : (double)(now - oldest) / US_PER_S);
	put(p, "max_dirty_age_seconds", "gauge", "maxDirtyAge, to compare it with.",
	    (double)s->conf->max_dirty_age_us / US_PER_S);
	put(p, "upload_bytes_per_second", "gauge", "Rate of uploading.",
	    (double)status_upload_rate(s));
	put(p, "transfers_in_flight", "gauge", "Requests handed to uploaders.",
	    (double)atomic_load(&st->in_flight));
	put(p, "acknowledged_writes_total", "counter", "Writes acknowledged to users.",
	    (double)atomic_load(&st->acked_seq));
	put(p, "fenced", "gauge",
	    "1 when the mount token is not ours any more: nothing is uploaded.",
	    atomic_load(&st->fenced) != 0);
	put(p, "healthy", "gauge", "1 while the disk runs and nothing is degraded.",
	    status_healthy(s));
	put_usage(p);
	if (s->scrub.on || s->scrub.ever)
		put(p, "scrub_bad_blocks", "gauge",
		    "Bad blocks of the last scrub that were not repaired.",
		    (double)(s->scrub.nbad - s->scrub.nrepaired));
}

static void
escape(const char *from, char *to, size_t len)
{
	size_t n = 0;

	for (; *from != '\0' && n + 3 < len; from++) {
		if (*from == '"' || *from == '\\')
			to[n++] = '\\';
		to[n++] = *from == '\n' ? ' ' : *from;
	}
	to[n] = '\0';
}

char *
status_metrics(const struct super *s)
{
	struct page p = {.s = s};
	char *text = NULL;
	size_t len = 0;

	if ((p.out = open_memstream(&text, &len)) == NULL)
		return (NULL);
	escape(s->paths.name, p.disk, sizeof(p.disk));
	if (s->shm.base != NULL) {
		put_gauges(&p);
		put_processes(&p);
		put_counters(&p);
		put_histograms(&p);
	}
	if (fclose(p.out) != 0) {
		free(text);
		return (NULL);
	}
	return (text);
}
