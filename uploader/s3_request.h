/* SPDX-License-Identifier: ISC */
/*
 * s3_request.h -- from an operation to a signed HTTP request: endpoint, URL, headers.
 *
 * Process:  uploader.  Threads: main thread only.
 * Owns:     struct s3_endpoint its strings; the URL of a request is the request's.
 * Follows:  BUCKET-FORMAT.md sections 1.2, 2.1 and 8.  Names are percent-encoded on the wire as they
 *           are in the signature, so that every byte a prefix may have works.
 * Errors:   -EINVAL: a base URL that is none; -ENOSPC: headers that do not fit.
 */
#ifndef S3B_UPLOADER_S3_REQUEST_H
#define S3B_UPLOADER_S3_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "uploader/s3_http.h"
#include "uploader/s3_sign.h"

struct credential;

struct s3_endpoint {
	char *scheme;		/* "https" */
	char *host;		/* with :port where it is not the scheme's; vhost: with the bucket */
	char *plain_host;	/* without the bucket */
	char *base_path;	/* "/" or "/something/" */
	char *bucket;
	bool  vhost;
	char  region[64];
};

int	s3_endpoint_set(struct s3_endpoint *, const char *base_url, const char *bucket, bool vhost,
	    const char *region);
void	s3_endpoint_free(struct s3_endpoint *);

/* Headers of a request before it is signed. */
struct s3_head {
	struct sign_header h[SIGN_HEADERS_MAX];
	unsigned n;
	char	 text[8192];	/* their values; session tokens are long */
	size_t	 used;
	int	 error;		/* the first that happened */
};

void	s3_head_add(struct s3_head *, const char *name, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

struct s3_signer {
	struct sign_cache cache;
	bool		  v2;
	int64_t		  clock_off_us;	/* the server's clock minus ours */
};

/*
 * URL, signature, headers.  key NULL: the bucket itself.  query: encoded, or NULL.  sub_resource:
 * "delete" where Version 2 has to sign it.  payload_sha256 NULL: an empty body.
 */
int	s3_request_make(const struct s3_endpoint *, struct s3_signer *, const struct credential *,
	    const char *method, const char *key, const char *query, const char *sub_resource,
	    const char *payload_sha256, struct s3_head *, struct http_request *);

#endif
