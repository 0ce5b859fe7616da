/* SPDX-License-Identifier: ISC */
/*
 * s3_explain.h -- one line for the user: what the store said, and what to change.
 *
 * Process:  uploader.  Threads: any; pure.
 */
#ifndef S3B_UPLOADER_S3_EXPLAIN_H
#define S3B_UPLOADER_S3_EXPLAIN_H

#include <stddef.h>

#include "uploader/retry.h"

struct http_reply;
struct s3_endpoint;
struct xml_error;

void	s3_explain(const struct s3_endpoint *, const char *key_id, enum fail,
	    const struct http_reply *, const struct xml_error *, char *buf, size_t size);

#endif
