/* SPDX-License-Identifier: ISC */
/*
 * hedge.h -- a second GET for one that takes far longer than GETs take: the first good answer counts.
 *
 * Process:  uploader.  Threads: main thread only.
 * Follows:  J. Dean, L. A. Barroso, "The Tail at Scale", CACM 56 (2013): a hedged request is sent when
 *           the first is past the 99th percentile, so there are few; a budget of 3 %, and five a
 *           second, bounds them even when the percentile is wrong.  One that hangs too is replaced.
 * Safety:   the second answer goes into memory, never into the slot, which belongs to the first until
 *           that has been cut.  Who drops a hedge hears nothing of it any more.
 */
#ifndef S3B_UPLOADER_HEDGE_H
#define S3B_UPLOADER_HEDGE_H

#include "uploader/store.h"

#define HEDGE_BUCKETS 160

struct uploader;

/* Times of GETs: quarters of octaves of microseconds, older ones fading. */
struct hedge_stats {
	uint32_t bucket[HEDGE_BUCKETS];
	uint32_t total;
	unsigned permille;	/* of a hedge that may be sent, earned by GETs and by time */
	uint64_t earned_us;	/* until then */
	unsigned running;
};

void	 hedge_sample(struct hedge_stats *, uint64_t us);
uint64_t hedge_after(const struct hedge_stats *);	/* 0: not enough is known */
bool	 hedge_take(struct hedge_stats *, uint64_t now); /* is one allowed now? */

struct hedge {
	struct store_op	 op;
	struct uploader *up;
	uint8_t		*mem;	/* the block */
	void	       (*done)(struct hedge *); /* it is the caller's then; NULL once dropped */
	void		*arg;
};

/* The same GET as `like`; NULL where that is not possible. */
struct hedge *hedge_start(struct uploader *, const struct store_op *like,
	    void (*done)(struct hedge *), void *arg);
void	hedge_drop(struct hedge **);	/* NULL-safe; also for one that is done */

#endif
