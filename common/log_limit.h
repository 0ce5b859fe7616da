/* SPDX-License-Identifier: ISC */
/*
 * log_limit.h -- which log lines are repeats and are counted instead of written.
 *
 * Process:  all; private to log.c.  Threads: any, one short lock, never held across a write.
 * Rules:    the same text within LIMIT_SAME_US of its last line is held back; so is any text of
 *           a message (a format) beyond LIMIT_BURST at once or LIMIT_PER_S in the long run.
 * Errors:   none.
 */
#ifndef S3B_COMMON_LOG_LIMIT_H
#define S3B_COMMON_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_SAME_US (10 * UINT64_C(1000000))
#define LIMIT_BURST   50
#define LIMIT_PER_S   5
#define LIMIT_TEXT    160	/* of the last line held back, for the count */

struct log_held {
	unsigned	count;		/* 0: nothing to report */
	int		level;
	char		text[LIMIT_TEXT];	/* the last of them */
};

/* May `text`, made of the format `fmt`, be written now?  ret_held: what to report before it. */
bool	log_limit_admit(const char *fmt, const char *text, int level, uint64_t now,
	    struct log_held *ret_held);
/* The next count that has waited long enough, or any with force; false when there is none. */
bool	log_limit_expired(uint64_t now, bool force, struct log_held *ret_held);

#endif
