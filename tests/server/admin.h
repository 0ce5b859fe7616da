/* SPDX-License-Identifier: ISC */
/*
 * admin.h -- /_s3testd/: what tests use to look inside and to change the rules while running.
 *
 * Process:  s3testd, the connection's thread.  Unsigned, without latency, faults or log.
 */
#ifndef S3TESTD_ADMIN_H
#define S3TESTD_ADMIN_H

struct request;

void admin_execute(struct request *); /* fills the reply */

#endif
