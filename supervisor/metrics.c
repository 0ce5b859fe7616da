/* SPDX-License-Identifier: ISC */
/*
 * metrics.c -- the figures as Prometheus text, exposition format 0.0.4.
 *
 * Counters come from counters.def, one family each, summed over the processes; a gauge is named by
 * what it measures.  The label is the name of the disk, so that one server can hold several.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/counters.h"
#include "common/timeutil.h"

#include "supervisor/status.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

static void
put(FILE *out, const struct super *s, const char *name, const char *type, const char *help,
    double value)
{
	(void)fprintf(out,
	    "# HELP s3backer_%s %s\n# TYPE s3backer_%s %s\ns3backer_%s{disk=\"%s\"} %.17g\n", name,
	    help, name, type, name, s->paths.name, value);
}

static void
put_counters(FILE *out, const struct super *s)
{
	char name[64];

	for (unsigned i = 0; i < CTR_COUNT; i++) {
		uint64_t sum = 0;

		for (uint32_t p = 0; p < s->nprocs; p++)
			sum += ctr_value(shm_counters(&s->shm, p), i);
		if (i == CTR_in_flight)
			continue; /* a gauge; cachemgr's figure is below */
		(void)snprintf(name, sizeof(name), "%s_total", counter_info[i].name);
		put(out, s, name, "counter", counter_info[i].text, (double)sum);
	}
}

static void
put_gauges(FILE *out, const struct super *s)
{
	const struct ipc_state *st = shm_state(&s->shm);
	uint64_t oldest = atomic_load(&st->oldest_dirty_us), now = now_us(), restarts = 0;

	for (uint32_t p = 0; p < s->nprocs; p++)
		restarts += atomic_load(&shm_proc(&s->shm, p)->restarts);
	put(out, s, "disk_bytes", "gauge", "Size of the disk.", (double)s->size);
	put(out, s, "block_bytes", "gauge", "Size of a block.", s->shm.geo.block_size);
	put(out, s, "cache_slots", "gauge", "Slots of the cache.", s->shm.geo.nslots);
	put(out, s, "cache_used_slots", "gauge", "Slots that hold a block.",
	    (double)atomic_load(&st->used_slots));
	put(out, s, "dirty_bytes", "gauge", "Bytes that the bucket does not hold yet.",
	    (double)status_dirty_bytes(s));
	put(out, s, "oldest_dirty_seconds", "gauge", "Age of the oldest of them.",
	    oldest == 0 || oldest > now ? 0 : (double)(now - oldest) / US_PER_S);
	put(out, s, "upload_bytes_per_second", "gauge", "Rate of uploading.",
	    (double)status_upload_rate(s));
	put(out, s, "transfers_in_flight", "gauge", "Requests handed to uploaders.",
	    (double)atomic_load(&st->in_flight));
	put(out, s, "acknowledged_writes_total", "counter", "Writes acknowledged to users.",
	    (double)atomic_load(&st->acked_seq));
	put(out, s, "process_restarts_total", "counter", "Processes that were replaced.",
	    (double)restarts);
	put(out, s, "healthy", "gauge", "1 while the disk runs and nothing is degraded.",
	    s->phase == PHASE_RUNNING && atomic_load(&st->disk_state) != DISK_DEGRADED &&
		atomic_load(&st->disk_state) != DISK_FENCED);
}

char *
status_metrics(const struct super *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return (NULL);
	if (s->shm.base != NULL) {
		put_gauges(out, s);
		put_counters(out, s);
	}
	if (fclose(out) != 0) {
		free(text);
		return (NULL);
	}
	return (text);
}
