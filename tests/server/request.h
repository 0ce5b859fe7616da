/* SPDX-License-Identifier: ISC */
/*
 * request.h -- one request on its way through the server, and the reply it gets.
 *
 *   NEW --headers--> BODY --all read--> WAIT --latency, stall--> READY --executed--> DONE
 *                                                   (late: executed by the timer)
 *
 * Process:  s3testd.  A request belongs to its connection's thread; while the connection is
 *           suspended (WAIT, a `late` fault) it belongs to the timer thread.
 * Owns:     everything it points at but `hdr`'s strings, which live in the connection.
 */
#ifndef S3TESTD_REQUEST_H
#define S3TESTD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/server/fault.h"
#include "tests/server/sign.h"
#include "tests/server/store.h"
#include "tests/server/uri.h"

struct MHD_Connection;
struct text;

enum phase {
	PHASE_NEW,
	PHASE_BODY,
	PHASE_WAIT,
	PHASE_READY,
	PHASE_DONE,
};

struct reply {
	int status;    /* 0: none yet */
	char code[40]; /* S3 error code, "" on success */
	struct meta *hdr;
	int nhdr;
	struct body *body; /* NULL: no body */
	size_t off, len;
};

struct request {
	struct MHD_Connection *conn;
	enum phase phase;
	uint64_t start_us, seq;
	char *method, *raw_path, *raw_query; /* raw_query: NULL if none */
	struct header *hdr;
	int nhdr;
	struct query query;
	bool bad_uri; /* escapes that do not decode */
	bool admin, aws, vhost;
	char *bucket, *key; /* decoded; NULL: not named */
	enum fault_op op;
	struct fault fault;
	struct body *body;  /* received */
	uint64_t expected;  /* Content-Length */
	uint64_t bytes_out; /* body bytes the reply will send */
	struct reply reply;
};

struct request *request_new(const char *raw_uri);
void request_headers(struct request *, struct MHD_Connection *, const char *method);
void request_free(struct request *);

const char *request_header(const struct request *, const char *name); /* NULL: not there */
const char *request_param(const struct request *, const char *name);
int64_t request_clock(const struct request *); /* the server's wall clock, skewed; seconds */

/* reply_* replace what was there. */
void reply_header(struct request *, const char *name, const char *value);
void reply_empty(struct request *, int status);
void reply_body(struct request *, int status, struct body *, size_t off, size_t len);
void reply_text(struct request *, int status, const char *type, struct text *);
/* An S3 error document; `extra` is more XML, or NULL. */
void reply_error(
    struct request *, int status, const char *code, const char *message, const char *extra);
void reply_errno(struct request *, int r); /* 500 InternalError for -errno */

#endif
