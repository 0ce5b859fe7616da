/* SPDX-License-Identifier: ISC */
/*
 * s3.h -- the S3 operations: from a request with its body to a reply.
 *
 * Process:  s3testd, any thread; nothing here blocks but the directory store.
 * Standard: the S3 API reference, as far as README.md says.
 */
#ifndef S3TESTD_S3_H
#define S3TESTD_S3_H

#include <stdbool.h>

struct bucket;
struct object;
struct request;

void s3_execute(struct request *); /* fills the reply; checks the signature first */

void s3_get(struct request *, struct bucket *); /* HEAD too */
void s3_put(struct request *, struct bucket *);
void s3_copy(struct request *, struct bucket *);
void s3_delete(struct request *, struct bucket *);
void s3_list(struct request *, struct bucket *);
void s3_bulk_delete(struct request *, struct bucket *);

/* Shared with the admin interface. */
void s3_object_headers(struct request *, const struct object *); /* into the reply */
struct object *s3_object_received(struct request *);		 /* body, ETag and stored headers */
void s3_no_such_key(struct request *, const char *key);

#endif
