/* SPDX-License-Identifier: ISC */
/*
 * auth.h -- is this request who it says it is, and is its body what was signed?
 *
 * Process:  s3testd, any thread.
 * Errors:   false: the S3 error is in the request's reply, and counted.
 */
#ifndef S3TESTD_AUTH_H
#define S3TESTD_AUTH_H

#include <stdbool.h>

struct request;

bool auth_check(struct request *);	/* signature, clock, region, token */
bool auth_check_body(struct request *); /* SHA-256, MD5, x-amz-checksum-* */

#endif
