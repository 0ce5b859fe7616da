/* SPDX-License-Identifier: ISC */
/*
 * dir_test.c -- test-delays, test-errors and test-discard: a directory as an unreliable store.
 *
 * Process:  uploader.  Threads: those of the directory store.
 */
#include "uploader/dir_priv.h"

#include <errno.h>
#include <time.h>

#include <bsd/stdlib.h>

#include "common/conf.h"
#include "common/timeutil.h"
#include "uploader/payload.h"

#include "uploader/guard.h"

#define DELAY_MIN_MS 20
#define DELAY_MAX_MS 120
#define ERRORS	     8 /* one operation in so many fails, half of these after it was done */

enum dir_fate
dir_test_fate(const struct dir_op *o)
{
	const struct conf *conf = o->d->env.conf;
	uint32_t dice;

	if (conf->test_delays) {
		struct timespec t = us_to_timespec(
		    (DELAY_MIN_MS + arc4random_uniform(DELAY_MAX_MS - DELAY_MIN_MS + 1)) *
		    US_PER_MS);

		(void)nanosleep(&t, NULL);
	}
	if (!conf->test_errors)
		return (DIR_AS_USUAL);
	dice = arc4random_uniform(2 * ERRORS);
	/* A token that was written by a request that failed would look like somebody else's. */
	if (dice == 0 && o->op->kind != STORE_TOKEN_PUT && o->op->kind != STORE_TOKEN_DROP)
		return (DIR_FAILS_AFTERWARDS);
	return (dice <= 1 ? DIR_FAILS : DIR_AS_USUAL);
}

static int
read_zeros(struct dir_op *o)
{
	static const char zeros[4096];
	struct store_op *op = o->op;
	struct crc32_sum *crc = crc32_sum_new();
	int error = 0;

	for (uint32_t at = op->off, end = at + op->len, n; at < end && error == 0; at += n) {
		n = end - at < sizeof(zeros) ? end - at : (uint32_t)sizeof(zeros);
		if (crc != NULL)
			crc32_sum_add(crc, zeros, n);
		if (op->io.fd >= 0)
			error = slot_io_write(&op->io, at, zeros, n);
	}
	op->reply.crc = crc32_sum_end(&crc);
	op->reply.bytes = op->len;
	return (error);
}

bool
dir_test_discards(struct dir_op *o, int *ret_error)
{
	if (!o->d->env.conf->test_discard)
		return (false);
	switch (o->op->kind) {
	case STORE_GET: /* not ENOENT: it was stored, or so we said */
		*ret_error = read_zeros(o);
		return (true);
	case STORE_PUT:
	case STORE_DELETE:
	case STORE_DELETE_MANY:
	case STORE_LIST:
		*ret_error = 0;
		return (true);
	case STORE_STAT:
		*ret_error = -ENOENT;
		return (true);
	default: /* the mount token is no block */
		return (false);
	}
}
