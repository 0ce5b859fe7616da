/* SPDX-License-Identifier: ISC */
/*
 * fault.h -- rules that make requests go wrong on purpose.
 *
 * A rule is OP:PART:PART..., in any order after OP: what to do, and when (see README.md).  Every
 * rule counts the requests that match its OP and key; the first rule, in the order they were
 * added, whose other selectors agree gives the request its fault.
 *
 * Process:  s3testd, any thread.  Deterministic: `rate` draws from a generator seeded per rule.
 * Errors:   -EINVAL with a sentence about the part that is wrong.
 * Units:    microseconds; bytes; times in rules are 5s, 200ms, 1m (seconds without a unit).
 */
#ifndef S3TESTD_FAULT_H
#define S3TESTD_FAULT_H

#include <stdbool.h>
#include <stdint.h>

struct text;

enum fault_op { /* classes of requests, bits */
	OP_GET = 1 << 0,
	OP_HEAD = 1 << 1,
	OP_PUT = 1 << 2,
	OP_COPY = 1 << 3,
	OP_DELETE = 1 << 4,
	OP_LIST = 1 << 5,
	OP_BULK = 1 << 6,   /* POST ?delete */
	OP_BUCKET = 1 << 7, /* HEAD, PUT, location of a bucket */
	OP_ACCEPT = 1 << 8, /* a new connection; `refuse` rules only */
	OP_ANY = 0xff,
};

enum fault_reset {
	RESET_NONE,
	RESET_BEFORE, /* nothing done, nothing answered */
	RESET_BODY,   /* in the middle of the body, either direction */
	RESET_AFTER,  /* done, but not answered */
};

struct fault { /* what one request suffers; all zero: nothing */
	bool on;
	int status;	   /* answer this instead */
	char code[40];	   /* S3 error code; "" for the usual one */
	int retry_after_s; /* 0: no header */
	bool early;	   /* answer without reading the body */
	bool bad_etag, garbage, short_body, error_200, refuse, stale, partial;
	enum fault_reset reset;
	int64_t truncate;     /* close after so many bytes of body; -1: not */
	int64_t wrong_length; /* added to Content-Length */
	uint64_t slow;	      /* bytes per second of body */
	uint64_t stall_us, stall_body_us, late_us;
	int64_t skew_s; /* added to the server's clock */
	char name[64];	/* the rule, for the log */
};

int fault_add(const char *rule, uint64_t seed, const char **ret_why);
void fault_clear(void);
/* Count the request against every rule; false: no fault. */
bool fault_draw(enum fault_op, const char *key, struct fault *ret_fault);
bool fault_want_stale(void);	/* a `stale` rule was ever added */
void fault_show(struct text *); /* the rules, one a line, with their counts */
int fault_time(const char *, uint64_t *ret_us);

#endif
