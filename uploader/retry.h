/* SPDX-License-Identifier: ISC */
/*
 * retry.h -- what a failure means, and when to try again.
 *
 * Process:  uploader.  Threads: any; functions on the caller's structs and on ipc/pool.h, time and
 *           random numbers are handed in.
 * Follows:  exponential back-off with full jitter (M. Brooker, AWS Architecture Blog 2015): a pause
 *           is drawn evenly from 0 to the cap of its try, so that clients do not march in step.
 * Units:    microseconds.
 */
#ifndef S3B_UPLOADER_RETRY_H
#define S3B_UPLOADER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct ipc_outage;

/* One pause is never longer, unless told by the server: who is alone is his own probe. */
#define RETRY_PAUSE_CAP_US UINT64_C(4000000)
#define RETRY_AFTER_MAX_US UINT64_C(60000000) /* nor then */

enum fail {
	FAIL_NONE,
	FAIL_ABSENT,	  /* 404 of the object itself: an answer, not a failure */
	FAIL_CONDITION,	  /* 412, 409: a conditional request found otherwise: an answer */
	FAIL_TRANSIENT,	  /* 5xx, resets, timeouts, no connection */
	FAIL_THROTTLED,	  /* 503 SlowDown, 429: the same, and the store asks for less */
	FAIL_BAD_REPLY,	  /* an answer that does not hold together: truncated, wrong length, no XML */
	FAIL_CLOCK,	  /* RequestTimeTooSkewed: sign with the server's time */
	FAIL_REGION,	  /* wrong region or endpoint, the right one was named */
	FAIL_EXPIRED,	  /* temporary credentials have run out: fetch new ones */
	FAIL_UNSUPPORTED, /* 501, 405: this store cannot do that */
	FAIL_DENIED,	  /* 401, 403: key, signature, policy */
	FAIL_PERMANENT,	  /* other 4xx, no such bucket: nobody heals it but the user */
	FAIL_DATA	  /* the object itself is not what it should be: EIO, never data */
};

/*
 * `http` is 0 when no answer came and `error` says why (-errno).  `code` is the <Code> of the
 * error document, "" if there was none; `is_text`: a body came that was no such document.
 */
enum fail fail_of(int http, const char *code, int error, bool is_text);
const char *fail_name(enum fail);
/* Is it worth the same request again, without a change by the user? */
bool	fail_heals(enum fail);
/* What the requester gets in the end: BUCKET-FORMAT.md section 12. */
int	fail_errno(enum fail, int http, int error);

struct retry_policy {
	uint64_t initial_us;	/* initialRetryPause */
	uint64_t give_up_us;	/* sum of pauses after which to give up; 0: never */
};

struct retry {			/* of one request; all zero at first */
	unsigned tries;		/* failures so far */
	uint64_t paused_us;	/* sum of pauses given out */
};

/*
 * The pause before the next try, after a failure of class `f`.  `random` is any 32 bits;
 * `after_us` what Retry-After said, 0 if nothing.  False: the sum is used up, give up.
 */
bool	retry_next(struct retry *, const struct retry_policy *, enum fail f, uint64_t after_us,
	    uint32_t random, uint64_t *ret_pause_us);

/*
 * What follows is shared by all uploaders (ipc/pool.h): whoever writes may die at any instruction, and
 * what it had taken is free again after a while.
 *
 * A budget, so that an outage does not become a storm: a burst of RETRY_BURST retries, then
 * RETRY_PER_S a second, which makes them the probes that find out when the store is back; a success
 * earns a tenth of one.  0: go ahead, one was taken.  Else ask again in that many microseconds.
 */
#define RETRY_BURST 64
#define RETRY_PER_S 16

uint64_t retry_budget_take(struct ipc_outage *, uint64_t now);

/*
 * An outage: RETRY_OUTAGE_ROW failures in a row and nothing else for RETRY_OUTAGE_AFTER_US.  From then
 * on one request at a time goes out, retry or not, once in RETRY_PROBE_US; one that is not answered is
 * given up as a probe, not as a request, after RETRY_PROBE_LIMIT_US.  The first success ends it.
 */
#define RETRY_OUTAGE_ROW      16
#define RETRY_OUTAGE_AFTER_US UINT64_C(2000000)
#define RETRY_PROBE_US	      UINT64_C(1000000)
#define RETRY_PROBE_LIMIT_US  UINT64_C(3000000)

bool	retry_outage_on(const struct ipc_outage *);
bool	retry_outage_failure(struct ipc_outage *, uint64_t now);	/* true: it begins */
/* How long the outage lasted that this ends, for one of the callers; 0: there was none. */
uint64_t retry_outage_success(struct ipc_outage *, uint64_t now);
/* 0: go ahead, as a probe if the outage is on.  Else ask again in that many microseconds. */
uint64_t retry_outage_take(struct ipc_outage *, uint64_t now);
void	retry_outage_answered(struct ipc_outage *, uint64_t now);	/* the probe, by a failure */

#endif
