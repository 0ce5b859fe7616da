/* SPDX-License-Identifier: ISC */
/*
 * reqlog.h -- what the server was asked: counters, and one line per request.
 *
 * A line is made when the reply is decided, before it is sent, so a client that has its answer
 * finds the line.  In the file and under /_s3testd/log:
 *
 *	TIME_US METHOD PATH QUERY STATUS BYTES_IN BYTES_OUT KEY [name=value]...
 *
 * TIME_US is the wall clock at the request's arrival; absent fields are "-"; STATUS is 0 for a
 * connection that was cut instead of answered.  No field holds a blank.
 *
 * Process:  s3testd, any thread.
 */
#ifndef S3TESTD_REQLOG_H
#define S3TESTD_REQLOG_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct text;

enum tally {
	STAT_GET,
	STAT_HEAD,
	STAT_PUT,
	STAT_COPY,
	STAT_DELETE,
	STAT_LIST,
	STAT_BULK,
	STAT_BUCKET, /* so far in the order of enum fault_op's bits */
	STAT_REQUESTS,
	STAT_BYTES_IN,
	STAT_BYTES_OUT,
	STAT_2XX,
	STAT_3XX,
	STAT_4XX,
	STAT_5XX,
	STAT_RESETS,
	STAT_FAULTS,
	STAT_AUTH_FAILURES,
	STAT_BODY_FAILURES,
	STAT_CONNECTIONS,
	STAT_REFUSED,
	STAT_MAX,
};

void stats_add(enum tally, uint64_t n);
void stats_enter(void); /* a request is in flight */
void stats_leave(void);
void stats_show(struct text *); /* JSON */
void stats_reset(void);		/* all but in-flight */

int reqlog_open(const char *path);	     /* NULL: memory only.  -errno */
void reqlog_request(const struct request *); /* count it and log it */
/* Lines after number `since`, each with its number in front. */
void reqlog_show(struct text *, uint64_t since);

#endif
