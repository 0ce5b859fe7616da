/* SPDX-License-Identifier: ISC */
#include "supervisor/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/conf.h"
#include "common/counters.h"
#include "common/timeutil.h"

#include "supervisor/health.h"
#include "supervisor/heart.h"
#include "supervisor/phase.h"
#include "supervisor/super.h"
#include "supervisor/usage.h"
#include "supervisor/token.h"

#include "supervisor/guard.h"

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

static uint64_t
total(const struct super *s, unsigned counter)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < s->nprocs; p++)
		sum += ctr_value(shm_counters(&s->shm, p), counter);
	return (sum);
}

uint64_t
status_dirty_bytes(const struct super *s)
{
	return (s->shm.base == NULL
		    ? 0
		    : LOAD(shm_state(&s->shm)->dirty_blocks) * s->shm.geo.block_size);
}

uint64_t
status_upload_rate(const struct super *s)
{
	return (s->shm.base == NULL ? 0 : LOAD(shm_state(&s->shm)->upload_rate));
}

static double
oldest_dirty_s(const struct super *s)
{
	uint64_t since = LOAD(shm_state(&s->shm)->oldest_dirty_us), now = now_us();

	return (since == 0 || since > now ? 0 : (double)(now - since) / US_PER_S);
}

/*
 * One word, and the reason if it is not the best one.  What this program knows comes first;
 * cachemgr's word counts while the disk runs.
 */
static const char *
state_and_why(const struct super *s, char *why, size_t len)
{
	unsigned state;

	why[0] = '\0';
	if (s->phase != PHASE_RUNNING) {
		(void)snprintf(why, len, "%s", s->fail != NULL ? s->fail : "");
		return (phase_name(s));
	}
	state = LOAD(shm_state(&s->shm)->disk_state);
	if (state == DISK_STARTING)
		state = DISK_RUNNING;
	if (state == DISK_DEGRADED || state == DISK_FENCED) {
		(void)snprintf(why, len, "%.*s", (int)sizeof(shm_state(&s->shm)->why) - 1,
		    shm_state(&s->shm)->why);
	} else if (heart_degraded(s, why, len) != NULL || health_degraded(s, why, len)) {
		if (state == DISK_RUNNING)
			state = DISK_DEGRADED;
	}
	return (disk_state_name(state));
}

bool
status_healthy(const struct super *s)
{
	char why[512];
	const char *state = state_and_why(s, why, sizeof(why));

	return (s->phase == PHASE_RUNNING && strcmp(state, "degraded") != 0 &&
		strcmp(state, "fenced") != 0);
}

/* How long we may still write without asking again; 0: not now.  Only where a lease is kept. */
static json_t *
lease_json(const struct super *s)
{
	uint64_t until = LOAD(shm_state(&s->shm)->token_until), now = boot_us();

	if (until == 0)
		return (json_null());
	return (json_real(until > now ? (double)(until - now) / US_PER_S : 0));
}

static json_t *
disk_json(const struct super *s)
{
	static const char *const fence[] = {"none", "weak", "strong", "shared"};
	const struct shm_geometry *g = &s->shm.geo;
	unsigned f = s->token.value == TOKEN_SHARED ? 3 : s->token.fence;

	return (json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:s, s:o}", "bucket", s->conf->bucket,
	    "size", (json_int_t)s->size, "blockSize", (json_int_t)g->block_size, "blocks",
	    (json_int_t)g->nblocks, "file", s->file, "readOnly", s->conf->read_only, "fence",
	    fence[f < 4 ? f : 0], "leaseSec", lease_json(s)));
}

static json_t *
cache_json(const struct super *s)
{
	const struct ipc_state *st = shm_state(&s->shm);

	return (json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:s, s:I}", "slots",
	    (json_int_t)s->shm.geo.nslots, "used", (json_int_t)LOAD(st->used_slots), "dirtyBlocks",
	    (json_int_t)LOAD(st->dirty_blocks), "dirtyBytes", (json_int_t)status_dirty_bytes(s),
	    "oldestDirtySec", oldest_dirty_s(s), "readHits",
	    (json_int_t)(total(s, CTR_read_hits) + total(s, CTR_read_zero_hits)), "readMisses",
	    (json_int_t)total(s, CTR_read_misses), "writeHits",
	    (json_int_t)total(s, CTR_write_hits), "evictions", (json_int_t)total(s, CTR_evictions),
	    "file", s->conf->cache_file != NULL ? s->conf->cache_file : "", "pendingDeletes",
	    (json_int_t)LOAD(st->pending_deletes)));
}

static json_t *
durability_json(const struct super *s)
{
	const struct ipc_state *st = shm_state(&s->shm);

	return (json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "flushTo",
	    LOAD(st->flush_to_bucket) ? "bucket" : "cache", "acked",
	    (json_int_t)LOAD(st->acked_seq), "local", (json_int_t)LOAD(st->local_seq), "bucket",
	    (json_int_t)LOAD(st->bucket_seq), "behindBytes", (json_int_t)status_dirty_bytes(s),
	    "behindSec", oldest_dirty_s(s)));
}

static json_t *
verb_json(const struct super *s, unsigned ok, unsigned retried, unsigned failed, int bytes)
{
	json_t *o = json_pack("{s:I, s:I, s:I}", "ok", (json_int_t)total(s, ok), "retried",
	    (json_int_t)total(s, retried), "failed", (json_int_t)total(s, failed));

	if (bytes >= 0)
		(void)json_object_set_new(
		    o, "bytes", json_integer((json_int_t)total(s, (unsigned)bytes)));
	return (o);
}

static json_t *
transfers_json(const struct super *s)
{
	return (json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "get",
	    verb_json(s, CTR_get_ok, CTR_get_retried, CTR_get_failed, CTR_get_bytes), "put",
	    verb_json(s, CTR_put_ok, CTR_put_retried, CTR_put_failed, CTR_put_bytes), "delete",
	    verb_json(s, CTR_delete_ok, CTR_delete_retried, CTR_delete_failed, -1), "list",
	    verb_json(s, CTR_list_ok, CTR_list_retried, CTR_list_failed, CTR_list_bytes),
	    "inFlight", (json_int_t)LOAD(shm_state(&s->shm)->in_flight), "uploadBytesPerSec",
	    (json_int_t)status_upload_rate(s)));
}

static const char *
role_word(const struct super *s, uint32_t p)
{
	const struct role *r = &s->role[p];

	if (p == PROC_SUPERVISOR)
		return ("running");
	if (r->hung)
		return ("hung");
	switch (r->state) {
	case ROLE_STARTING:
		return ("starting");
	case ROLE_RUNNING:
		return ("running");
	case ROLE_LEAVING:
		return ("leaving");
	case ROLE_WAITING:
		return ("dead");
	default:
		return ("gone");
	}
}

static json_t *
processes_json(const struct super *s)
{
	json_t *list = json_array();
	uint64_t now = now_us();
	char name[32];

	for (uint32_t p = 0; p < s->nprocs; p++) {
		const struct proc_slot *row = shm_proc(&s->shm, p);
		uint64_t since = LOAD(row->started_us);
		uint32_t pid = LOAD(row->pid);

		(void)json_array_append_new(list,
		    json_pack("{s:s, s:I, s:f, s:I, s:s}", "role", proc_name(p, name, sizeof(name)),
			"pid", (json_int_t)pid, "uptimeSec",
			pid == 0 || since > now ? 0.0 : (double)(now - since) / US_PER_S,
			"restarts", (json_int_t)LOAD(row->restarts), "state", role_word(s, p)));
	}
	return (list);
}

json_t *
status_json(struct super *s)
{
	char why[512];
	const char *state = "starting";
	json_t *o, *scrub, *usage;

	why[0] = '\0';
	if (s->shm.base != NULL)
		state = state_and_why(s, why, sizeof(why));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "version", S3B_VERSION, "state", state,
	    "name", s->paths.name, "config", s->opt.config_real, "mountPoint", s->conf->mount_point,
	    "pid", (json_int_t)getpid());
	if (why[0] != '\0')
		(void)json_object_set_new(o, "why", json_string(why));
	if (s->shm.base == NULL)
		return (o);
	(void)json_object_set_new(o, "disk", disk_json(s));
	if (s->region[0] != '\0') {
		json_t *disk = json_object_get(o, "disk");

		(void)json_object_set_new(disk, "region", json_string(s->region));
		(void)json_object_set_new(disk, "addressing", json_string(s->style));
	}
	(void)json_object_set_new(o, "cache", cache_json(s));
	(void)json_object_set_new(o, "durability", durability_json(s));
	(void)json_object_set_new(o, "transfers", transfers_json(s));
	(void)json_object_set_new(o, "processes", processes_json(s));
	if ((usage = usage_json(s)) != NULL)
		(void)json_object_set_new(o, "usage", usage);
	if ((scrub = scrub_json(s, false)) != NULL)
		(void)json_object_set_new(o, "scrub", scrub);
	(void)json_object_set_new(o, "errors",
	    json_pack("{s:I, s:I, s:I, s:I, s:I}", "io", (json_int_t)total(s, CTR_io_errors),
		"http4xx", (json_int_t)total(s, CTR_http_4xx), "http5xx",
		(json_int_t)total(s, CTR_http_5xx), "connect",
		(json_int_t)total(s, CTR_connect_failed), "timeouts",
		(json_int_t)total(s, CTR_timeouts)));
	return (o);
}
