/* SPDX-License-Identifier: ISC */
/*
 * creds.h -- access keys the server knows.
 *
 * Process:  s3testd, any thread (the admin interface adds and removes while requests run).
 * Owns:     creds_find() gives copies, freed with creds_free().
 */
#ifndef S3TESTD_CREDS_H
#define S3TESTD_CREDS_H

#include <time.h>

struct creds {
	char *id, *secret, *token; /* token: NULL for long-term keys */
	time_t expires;		   /* 0: never */
};

/* "ID:SECRET[:TOKEN]"; replaces an id that is there.  -EINVAL. */
int creds_add(const char *spec);
int creds_add_until(const char *spec, time_t expires);
int creds_remove(const char *id);			 /* -ENOENT */
int creds_find(const char *id, struct creds *ret_creds); /* -ENOENT */
void creds_free(struct creds *);
int creds_count(void);

#endif
