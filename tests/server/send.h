/* SPDX-License-Identifier: ISC */
/*
 * send.h -- the reply goes out: unharmed and without a copy, or through the fault and the
 * bandwidth.
 *
 * Process:  s3testd, the connection's thread.
 */
#ifndef S3TESTD_SEND_H
#define S3TESTD_SEND_H

#include <microhttpd.h>

struct request;

enum MHD_Result send_reply(struct request *); /* takes the reply's body */
void send_reset(struct request *);	      /* RST; the caller returns MHD_NO */

#endif
