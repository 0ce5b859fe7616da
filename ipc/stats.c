/* SPDX-License-Identifier: ISC */
#include "ipc/stats.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/counters.h"

struct view {
	const struct shm *shm;
	const uint64_t *zero;
};

static uint64_t
sum_of(const struct shm *shm, unsigned ctr)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < shm_nprocs(shm); p++)
		sum += ctr_value(shm_counters(shm, p), ctr);
	return (sum);
}

static uint64_t
value_of(const struct view *v, unsigned ctr)
{
	return (sum_of(v->shm, ctr) - v->zero[ctr]);
}

void
stats_now(const struct shm *shm, uint64_t ret_values[CTR_COUNT])
{
	for (unsigned i = 0; i < CTR_COUNT; i++)
		ret_values[i] = sum_of(shm, i);
}

#define V(ctr) value_of(v, CTR_##ctr)

static void
line(FILE *f, const char *name, uint64_t value, const char *unit)
{
	(void)fprintf(f, "%-28s %" PRIu64 "%s%s\n", name, value, *unit != '\0' ? " " : "", unit);
}

static void
ratio(FILE *f, const char *name, uint64_t part, uint64_t all)
{
	(void)fprintf(f, "%-28s %.4f\n", name, all == 0 ? 0.0 : (double)part / (double)all);
}

/* Mean time of a request, in seconds as before. */
static void
mean(FILE *f, const char *name, uint64_t us, uint64_t n)
{
	(void)fprintf(f, "%-28s %.3f sec\n", name, n == 0 ? 0.0 : (double)us / 1e6 / (double)n);
}

static void
old_names(const struct view *v, FILE *f)
{
	const struct ipc_state *st = shm_state(v->shm);
	uint64_t rh = V(read_hits), rm = V(read_misses), wh = V(write_hits), wm = V(write_misses);

	line(f, "http_gets", V(get_ok), "");
	line(f, "http_puts", V(put_ok), "");
	line(f, "http_deletes", V(delete_keys), "");
	mean(f, "http_avg_get_time", V(get_us), V(get_ok));
	mean(f, "http_avg_put_time", V(put_us), V(put_ok));
	line(f, "http_5xx_error", V(http_5xx), "");
	line(f, "http_4xx_error", V(http_4xx), "");
	line(f, "http_num_retries",
	    V(get_retried) + V(put_retried) + V(delete_retried) + V(list_retried), "");
	line(f, "curl_timeouts", V(timeouts), "");
	line(f, "curl_connect_failed", V(connect_failed), "");
	line(f, "block_cache_current_size", atomic_load(&st->used_slots), "blocks");
	ratio(f, "block_cache_dirty_ratio", atomic_load(&st->dirty_blocks), v->shm->geo.nslots);
	line(f, "block_cache_read_hits", rh, "");
	line(f, "block_cache_read_misses", rm, "");
	ratio(f, "block_cache_read_hit_ratio", rh, rh + rm);
	line(f, "block_cache_write_hits", wh, "");
	line(f, "block_cache_write_misses", wm, "");
	ratio(f, "block_cache_write_hit_ratio", wh, wh + wm);
	line(f, "zero_block_cache_read_hits", V(read_zero_hits), "");
}

char *
stats_text(const struct shm *shm, const uint64_t zero[CTR_COUNT], size_t *ret_len)
{
	const struct view v = {shm, zero};
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (f == NULL)
		return (NULL);
	(void)fprintf(
	    f, "%-28s %s\n", "state", disk_state_name(atomic_load(&shm_state(shm)->disk_state)));
	old_names(&v, f);
	for (unsigned i = 0; i < CTR_COUNT; i++)
		line(f, counter_info[i].name, value_of(&v, i), counter_info[i].unit);
	if (fclose(f) != 0) {
		free(text);
		return (NULL);
	}
	return (text);
}
