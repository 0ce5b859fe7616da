/* SPDX-License-Identifier: ISC */
/*
 * http.h -- the HTTP side: libmicrohttpd's daemons and the life of a request.
 *
 * Process:  s3testd.  Threads: libmicrohttpd's pool (opt.threads), each with its own connections.
 */
#ifndef S3TESTD_HTTP_H
#define S3TESTD_HTTP_H

#include <stdbool.h>

/* Listens on 127.0.0.1; port 0: any.  cert, key: PEM text, or NULL.  Exits on failure. */
int http_start(int port, bool admin_only, const char *cert, const char *key);
void http_stop(void); /* after timer_stop() */

#endif
