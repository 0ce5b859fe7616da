/* SPDX-License-Identifier: ISC */
/*
 * bandwidth.h -- a token bucket that goes into debt: exact on average, without small pieces.
 *
 * Process:  uploader.  Threads: one.  Units: bytes, microseconds; time is handed in.
 */
#ifndef S3B_UPLOADER_BANDWIDTH_H
#define S3B_UPLOADER_BANDWIDTH_H

#include <stdint.h>

struct bandwidth {
	uint64_t per_s;		/* bytes; 0: no limit */
	int64_t	 tokens;	/* bytes that may go at once; negative: debt */
	uint64_t last_us;
};

static inline void
bandwidth_set(struct bandwidth *b, uint64_t bits_per_s, uint64_t now)
{
	b->per_s = bits_per_s / 8;
	b->tokens = 0;
	b->last_us = now;
}

/* 0: go on; else come back in that many microseconds. */
static inline uint64_t
bandwidth_wait(struct bandwidth *b, uint64_t now)
{
	int64_t burst = (int64_t)(b->per_s / 10); /* what an idle tenth of a second saves up */
	uint64_t past = now > b->last_us ? now - b->last_us : 0; /* callers' clocks may be stale */

	if (b->per_s == 0)
		return (0);
	if (past > 10000000)
		past = 10000000; /* no overflow, however long it was idle */
	if (past * b->per_s >= 1000000) { /* else keep the time until it is worth a byte */
		b->tokens += (int64_t)(past * b->per_s / 1000000);
		b->last_us = now;
	}
	if (b->tokens > burst)
		b->tokens = burst;
	return (b->tokens >= 0 ? 0 : (uint64_t)-b->tokens * 1000000 / b->per_s + 1000);
}

static inline void
bandwidth_spend(struct bandwidth *b, int64_t bytes)
{
	if (b->per_s != 0)
		b->tokens -= bytes;
}

#endif
