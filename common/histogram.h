/* SPDX-License-Identifier: ISC */
/*
 * histogram.h -- how long requests took, in fixed buckets; part of struct counters.
 *
 * Written by the threads of one process, relaxed; read by anyone.  A reader may see a request in its
 * bucket and not yet in the sum, which no figure made of them minds.
 */
#ifndef S3B_COMMON_HISTOGRAM_H
#define S3B_COMMON_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/* Upper bounds in microseconds; what is above the last goes into one more bucket. */
#define HIST_BOUNDS                                                                                \
	50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, \
	    2500000, 5000000, 10000000, 30000000
#define HIST_NBOUNDS 18

enum histogram_id {
	HIST_GET,	/* of the store: from the first attempt to the last byte */
	HIST_PUT,
	HIST_DELETE,	/* one request, of one object or of many */
	HIST_LIST,	/* one page */
	HIST_READ,	/* of the disk: from the kernel's request to our reply */
	HIST_WRITE,
	HIST_FLUSH,
	HIST_COUNT
};

struct histogram {
	_Atomic uint64_t n[HIST_NBOUNDS + 1];
	_Atomic uint64_t sum_us;
};

static inline void
hist_add(struct histogram *h, uint64_t us)
{
	static const uint32_t bound[HIST_NBOUNDS] = {HIST_BOUNDS};
	unsigned i = 0;

	/* From below: most are short. */
	while (i < HIST_NBOUNDS && us > bound[i])
		i++;
	atomic_fetch_add_explicit(&h->n[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

#endif
