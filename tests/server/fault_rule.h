/* SPDX-License-Identifier: ISC */
/*
 * fault_rule.h -- one fault rule: its text taken apart.  For fault.c alone.
 *
 * Errors:   -EINVAL with a sentence about the part that is wrong.
 */
#ifndef S3TESTD_FAULT_RULE_H
#define S3TESTD_FAULT_RULE_H

#include <stdint.h>

#include "tests/server/fault.h"

struct rule {
	struct rule *next;
	char *text, *key; /* key: glob, or NULL */
	unsigned ops;
	uint64_t nth, every, after, count; /* 0: not given */
	double rate;			   /* < 0: not given */
	uint64_t until_us;		   /* 0: for ever */
	uint64_t seen, fired, random;
	struct fault fault;
};

/* Into a rule that is zero but for rate and fault.truncate, which are -1. */
int fault_rule_parse(const char *text, struct rule *, const char **ret_why);
void fault_rule_free(struct rule *);

#endif
