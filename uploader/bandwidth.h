/* SPDX-License-Identifier: ISC */
/*
 * bandwidth.h -- a limit that holds for all uploaders together: a token bucket that goes into debt.
 *
 * Process:  uploader.  Threads: any.  Units: bytes; microseconds, handed in; inside nanoseconds.
 * Follows:  the generic cell rate algorithm (ITU-T I.371, "virtual scheduling"): one word says until
 *           when the line is busy with what was granted, so taking is one compare-and-swap and an
 *           idle or dead process holds nothing back.
 * Exact:    whatever is granted moves the word on by its time, however many processes take at once:
 *           at most rate * time, and a burst, and one piece for each of them, in any interval.
 */
#ifndef S3B_UPLOADER_BANDWIDTH_H
#define S3B_UPLOADER_BANDWIDTH_H

#include <stdint.h>

#include "ipc/pool.h"

#define BANDWIDTH_BURST_NS UINT64_C(100000000)	   /* what an idle tenth of a second saves up */
#define BANDWIDTH_LOOK_US  UINT64_C(200000)	   /* the limit may have been changed meanwhile */
#define BANDWIDTH_DEBT_NS  UINT64_C(3600000000000) /* more than that is damage, not debt */

/* 0: go on; else come back in that many microseconds. */
static inline uint64_t
bandwidth_wait(const struct ipc_limit *l, uint64_t now_us)
{
	uint64_t now = now_us * 1000, at = atomic_load_explicit(&l->free_ns, memory_order_relaxed);

	if (atomic_load_explicit(&l->bps, memory_order_relaxed) == 0 || at <= now ||
	    at - now > BANDWIDTH_DEBT_NS)
		return (0);
	at = (at - now) / 1000 + 1;
	return (at < BANDWIDTH_LOOK_US ? at : BANDWIDTH_LOOK_US);
}

/* Less than 0: give back. */
static inline void
bandwidth_spend(struct ipc_limit *l, uint64_t now_us, int64_t bytes)
{
	uint64_t now = now_us * 1000, at = atomic_load_explicit(&l->free_ns, memory_order_relaxed);
	uint64_t bps = atomic_load_explicit(&l->bps, memory_order_relaxed), from;
	int64_t ns;

	if (bps == 0 || bytes == 0)
		return;
	ns = (int64_t)((double)bytes * 8e9 / (double)bps);
	do {
		from = at;
		if (at < now && now - at > BANDWIDTH_BURST_NS)
			from = now - BANDWIDTH_BURST_NS;
		if (at > now && at - now > BANDWIDTH_DEBT_NS)
			from = now;
	} while (!atomic_compare_exchange_weak(&l->free_ns, &at, from + (uint64_t)ns));
}

#endif
