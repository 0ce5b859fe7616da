/* SPDX-License-Identifier: ISC */
/*
 * counters.h -- what every process counts, one cache-line-aligned struct per process in the
 * segment.
 *
 * Written by its own process alone (relaxed atomics; threads of one process may share a counter),
 * read by anyone at any time.  They run from the start of the disk and survive a role's death.
 */
#ifndef S3B_COMMON_COUNTERS_H
#define S3B_COMMON_COUNTERS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/histogram.h"

struct counters {
#define CTR(field, unit, level, text) _Atomic uint64_t field;
#include "common/counters.def"
#undef CTR
	struct histogram hist[HIST_COUNT]; /* behind what ctr_value() counts through */
};

enum {
#define CTR(field, unit, level, text) CTR_##field,
#include "common/counters.def"
#undef CTR
	CTR_COUNT
};

struct counter_info {
	const char *name, *unit, *level, *text;
};
extern const struct counter_info counter_info[CTR_COUNT];

#define ctr_add(c, field, n)                                                                       \
	((void)atomic_fetch_add_explicit(&(c)->field, (n), memory_order_relaxed))
#define ctr_inc(c, field) ctr_add(c, field, 1)
#define ctr_get(c, field) atomic_load_explicit(&(c)->field, memory_order_relaxed)

/* The value of counter number `i` (CTR_x) of one process. */
static inline uint64_t
ctr_value(const struct counters *c, unsigned i)
{
	return (atomic_load_explicit((const _Atomic uint64_t *)c + i, memory_order_relaxed));
}

#endif
