/* SPDX-License-Identifier: ISC */
/*
 * cond.h -- conditional requests, byte ranges and dates; pure.
 *
 * Standard: RFC 9110 sections 13 and 14, as S3 applies them (If-None-Match on writes only as "*").
 */
#ifndef S3TESTD_COND_H
#define S3TESTD_COND_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Does a list of entity tags (quoted or not, or "*") name this one? */
int cond_etag_in(const char *list, const char *etag);

struct cond_read { /* request headers, or NULL */
	const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
};
/* 0 (go on), 304 or 412. */
int cond_read_check(const struct cond_read *, const char *etag, time_t mtime);

/* 200 (no or an ignored range: the whole), 206, or 416. */
int cond_range(const char *range, uint64_t size, uint64_t *ret_off, uint64_t *ret_len);

void date_http(time_t, char ret_text[40]); /* Fri, 24 May 2013 00:00:00 GMT */
void date_iso(time_t, char ret_text[40]);  /* 2013-05-24T00:00:00.000Z */
/* Either of the HTTP form, "+0000" too, and 20130524T000000Z.  -EINVAL. */
int date_parse(const char *, time_t *ret_time);

#endif
