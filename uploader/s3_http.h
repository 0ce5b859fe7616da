/* SPDX-License-Identifier: ISC */
/*
 * s3_http.h -- HTTP requests, hundreds at once; the only user of libcurl.
 *
 * Process:  uploader.  Threads: main thread only (libcurl's resolver has threads of its own).
 * Owns:     connections and easy handles.  A struct http_request is the caller's; it and what it
 *           points to stay put from http_submit() to `done`, which is never called from inside
 *           http_submit().
 * Bodies:   go straight from and to the callbacks, never through a buffer of ours.  body_write gets
 *           only bodies of 2xx replies; what comes with any other status is kept, up to
 *           HTTP_TEXT_MAX bytes, in reply.text.
 * Errors:   reply.error: 0 or -errno of the transport, of a callback, or -EILSEQ for a reply that
 *           breaks the protocol (truncated, garbage).  An HTTP status is no error here.
 * Redirects are never followed: a signature is for one host.
 */
#ifndef S3B_UPLOADER_S3_HTTP_H
#define S3B_UPLOADER_S3_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bsd/sys/queue.h>

#include "ipc/pool.h"
#include "uploader/loop.h"

struct http;
struct request_list;
struct counters;

#define HTTP_TEXT_MAX 4096
#define HTTP_HEAD_MAX 8192

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };

struct http_reply {
	int	 status;	/* 0: none came */
	int	 error;
	bool	 sent_all;	/* the request was sent to its last byte: it may have had its effect */
	bool	 replayed;	/* a dead connection took a whole request with it; libcurl sent another */
	bool	 cut_by_us;	/* timeout: the server may still be working on it */
	int64_t	 length;	/* Content-Length, -1: none */
	uint64_t received;	/* bytes of body */
	uint64_t retry_after_us;
	int64_t	 server_time_us; /* of Date, 0: none */
	uint64_t block_size, file_size;	/* x-amz-meta-s3backer-*, 0: none or garbage */
	uint32_t token;		/* x-amz-meta-s3backer-mount-token */
	uint64_t range_total;	/* of Content-Range */
	bool	 has_token;
	char	 etag[80];	/* with its quotes */
	char	 encoding[64];	/* Content-Encoding; longer ones end in '?', which is unknown */
	char	 hmac[48];	/* x-amz-meta-s3backer-hmac, with its quotes */
	char	 crc32[16];	/* x-amz-checksum-crc32; longer ones are cut and match nothing */
	bool	 etag_is_no_md5; /* encrypted under KMS or the customer's key */
	char	 region[64];	/* x-amz-bucket-region */
	char	 location[256];
	char	 transport[256]; /* libcurl's words for the error */
	char	*text;		/* body of an error, NUL-terminated, or NULL; freed by http_forget() */
	size_t	 text_len;
};

struct http_request {
	enum http_method method;
	char	    *url;
	char	     head[HTTP_HEAD_MAX]; /* "Name: value" lines, each NUL-terminated */
	size_t	     head_len;
	uint64_t     body_len;		/* PUT, POST */
	int	   (*body_read)(struct http_request *, uint64_t off, void *buf, size_t len);
	int	   (*body_write)(struct http_request *, const void *data, size_t len);
	void	   (*done)(struct http_request *);
	void	    *arg;
	uint64_t     expect_len;	/* of a download, for its deadline */
	uint64_t     limit_us;	/* from its start, however well it goes; 0: none */
	bool	     background; /* nobody waits for it: last in line for bandwidth */
	struct http_reply reply;

	/* private to s3_http.c */
	struct http *http;
	void	    *easy, *slist;
	uint64_t     sent, granted;
	uint64_t     started_us, progress_us, paused_us, pause_began_us, unpaused_us;
	uint64_t     window_us, window_bytes; /* what has moved since */
	int	     callback_error;
	int	     fd;		/* of its connection, from libcurl; -1: not known */
	struct request_list *paused;	/* where it waits for its turn */
	struct ipc_limit own;		/* of this transfer alone */
	struct timer own_timer;
	TAILQ_ENTRY(http_request) link;
};

struct http_conf {
	unsigned    max_transfers;	/* of this process: sizes the buffers and the connection cache */
	uint64_t    buffer_budget;	/* bytes for libcurl's buffers, all transfers together */
	uint64_t    timeout_us, connect_timeout_us;
	const char *cacert, *user_agent;
	bool	    tls, insecure, fresh_connections, verbose;
	int	    ip_tos;		/* -1: leave it */
	uint64_t    per_upload_bps, per_download_bps; /* bits per second of each, 0: no limit */
	struct ipc_limit *upload, *download; /* of the whole pool; NULL: none */
};

int	http_open(struct loop *, const struct http_conf *, struct counters *, struct http **ret_http);
void	http_close(struct http **);	/* aborts what is running, without `done` */

int	http_header(struct http_request *, const char *name, const char *value);
void	http_submit(struct http *, struct http_request *);
/* True: it is cut, `done` is never called.  False: `done` is on its way. */
bool	http_cancel(struct http_request *);
void	http_forget(struct http_request *);	/* frees what the reply holds; url is the caller's */

#endif
