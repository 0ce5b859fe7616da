/* SPDX-License-Identifier: ISC */
/*
 * http_priv.h -- what s3_http.c and http_*.c share; for nobody else.
 *
 *	s3_http.c	the life of a request, the event interface of libcurl
 *	http_body.c	what goes out and comes in
 *	http_setup.c	a request's options, what libcurl's errors mean
 *	http_pace.c	bandwidth limits of all transfers together
 */
#ifndef S3B_UPLOADER_HTTP_PRIV_H
#define S3B_UPLOADER_HTTP_PRIV_H

#include <curl/curl.h>

#include "uploader/bandwidth.h"
#include "uploader/s3_http.h"

#define BUFFER_MIN	 UINT64_C(16384)  /* libcurl's smallest upload buffer */
#define BUFFER_MAX	 UINT64_C(262144)
#define CONTINUE_ABOVE	 (4u << 20) /* bodies worth a round trip to learn that they are not wanted */

TAILQ_HEAD(request_list, http_request);

struct pacer {			/* one direction's bandwidth and who waits for it */
	struct ipc_limit   *limit; /* of the whole pool */
	struct request_list paused;
	struct timer	    timer;
	struct http	   *http;
};

struct http {
	struct loop	   *loop;
	struct http_conf    conf;
	struct counters	   *counters;
	CURLM		   *multi;
	int		    source;
	struct timer	    curl_timer, sweep, failed_timer;
	struct request_list running, failed;
	struct request_list slowed; /* by maxUploadSpeed, maxDownloadSpeed: each has its timer */
	unsigned	    nrunning;
	CURL		  **idle;
	unsigned	    nidle;
	uint64_t	    up_buffer, down_buffer; /* libcurl's, of one transfer */
	struct pacer	    up, down;
	struct ipc_limit    none;  /* for who has no pool: the store tool */
	char		   *cacert, *user_agent;
};

int	http_setup(struct http *, struct http_request *);
void	http_body_setup(struct http_request *);	/* part of it, which cannot fail */
int	http_errno(int curl_code, const struct http_request *);

void	http_pace_begin(struct http_request *, uint64_t now);
void	http_pacer_init(struct http *, struct pacer *, struct ipc_limit *);
/* False: the transfer was put to sleep; it will be woken with a grant of one buffer. */
bool	http_pace(struct pacer *, struct http_request *, uint64_t now);
void	http_pace_spend(struct pacer *, struct http_request *, uint64_t bytes, uint64_t now);

#endif
