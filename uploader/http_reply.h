/* SPDX-License-Identifier: ISC */
/*
 * http_reply.h -- what the header lines of a reply say; private to s3_http.c, apart for its tests.
 *
 * Process:  uploader.  Threads: any; pure functions on the caller's struct.
 * Trust:    none: every value is bounded, numbers are checked whole, garbage counts as absent.
 */
#ifndef S3B_UPLOADER_HTTP_REPLY_H
#define S3B_UPLOADER_HTTP_REPLY_H

#include <stddef.h>

struct http_reply;

/* One header line as it came, with or without its line end; a status line begins the reply anew. */
void	http_reply_line(struct http_reply *, const char *line, size_t len);

#endif
