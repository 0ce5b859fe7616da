/* SPDX-License-Identifier: ISC */
#include "ctl/wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bar.h"
#include "common/timeutil.h"

#include "ctl/ask.h"
#include "ctl/guard.h"

#define LOOK_US (100 * US_PER_MS)

int
wait_parse_time(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {{"", US_PER_S}, {"ms", US_PER_MS}, {"s", US_PER_S}, {"m", 60 * US_PER_S},
	    {"h", 3600 * US_PER_S}, {"d", 86400 * US_PER_S}};
	char *end;
	double n;

	errno = 0;
	n = strtod(text, &end);
	if (end == text || errno != 0 || !(n >= 0) || n > 1e9)
		return (-EINVAL);
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) == 0) {
			*ret_us = (uint64_t)(n * (double)units[i].us);
			return (0);
		}
	}
	return (-EINVAL);
}

int
wait_run(struct ask *a, uint64_t age_us)
{
	struct timespec pause = us_to_timespec(LOOK_US);
	uint64_t total = 0;
	struct bar bar;
	json_t *st = NULL;
	int code;

	bar_begin(&bar, stderr);
	while ((code = ask_simple(a, "status", &st)) == EXIT_DONE) {
		json_t *cache = json_object_get(st, "cache");
		uint64_t dirty = (uint64_t)json_integer_value(json_object_get(cache, "dirtyBytes"));
		uint64_t deletes =
		    (uint64_t)json_integer_value(json_object_get(cache, "pendingDeletes"));
		double age = json_real_value(json_object_get(cache, "oldestDirtySec"));
		json_t *d = json_object_get(st, "durability");
		/* cachemgr learns of a write a moment after it was acknowledged. */
		bool unknown = json_integer_value(json_object_get(d, "acked")) >
			       json_integer_value(json_object_get(d, "bucket"));
		double rate = (double)json_integer_value(
		    json_object_get(json_object_get(st, "transfers"), "uploadBytesPerSec"));

		json_decref(st);
		if ((dirty + deletes == 0 && !unknown) ||
		    (age_us > 0 && age * US_PER_S < (double)age_us))
			break;
		total = dirty > total ? dirty : total;
		if (!a->json)
			bar_show(&bar, "uploading", total - dirty, total, (uint64_t)rate,
			    rate > 0 ? (double)dirty / rate : 0);
		if (deadline_passed(a->deadline_us)) {
			bar_end(&bar);
			(void)fprintf(stderr, "s3backerctl: timed out; %s\n", a->goes_on);
			return (EXIT_TIMED_OUT);
		}
		(void)nanosleep(&pause, NULL);
	}
	bar_end(&bar);
	return (code);
}
