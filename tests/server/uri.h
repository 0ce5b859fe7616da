/* SPDX-License-Identifier: ISC */
/*
 * uri.h -- percent-decoding and query strings.
 *
 * Process:  s3testd, any thread.
 * Owns:     results are the caller's: free(3), query_free().
 * Errors:   -EINVAL: a broken escape, or an escaped NUL.
 */
#ifndef S3TESTD_URI_H
#define S3TESTD_URI_H

#include <stdbool.h>
#include <stddef.h>

struct param {
	char *name, *value; /* decoded; value "" when there was no '=' */
};

struct query {
	struct param *param;
	int n;
};

int uri_decode(const char *, size_t, bool plus_is_space, char **ret_text);
int query_parse(const char *raw, struct query *ret_query);     /* raw may be NULL */
const char *query_get(const struct query *, const char *name); /* NULL: not there */
void query_free(struct query *);

#endif
