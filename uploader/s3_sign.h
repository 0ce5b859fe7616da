/* SPDX-License-Identifier: ISC */
/*
 * s3_sign.h -- signatures of requests: AWS Signature Version 4, and the old Version 2.
 *
 * Process:  uploader.  Threads: any, each with its own struct sign_cache; no state besides it.
 * Follows:  "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference, and
 *           "Signing and authenticating REST requests" for Version 2.
 * Owns:     nothing; all strings are borrowed for the call.
 * Errors:   -ENOSPC when a result does not fit, -EINVAL when there are too many headers.
 */
#ifndef S3B_UPLOADER_S3_SIGN_H
#define S3B_UPLOADER_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_HEADERS_MAX 32
#define SIGN_AUTH_SIZE	 2048
#define SIGN_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sign_header {
	const char *name;	/* any case */
	const char *value;	/* not trimmed */
};

struct sign_request {
	const char *method;
	const char *path;	/* percent-encoded, as on the wire; begins with '/' */
	const char *query;	/* percent-encoded, as on the wire, or NULL */
	const char *resource;	/* Version 2 only: /bucket/key, encoded, with the sub-resource */
	const char *payload_sha256; /* 64 hex digits; Version 4 only */
	const char *service;	/* Version 4; NULL: "s3" */
	const char *date;	/* V4: 20261123T092928Z; V2: the value of Date */
	const struct sign_header *header;
	unsigned    nheaders;
};

struct sign_key {
	const char *id, *secret;
	const char *region;	/* V4 */
};

/* The key derived from secret, day and region, of one service; again when one of them changes. */
struct sign_cache {
	char	day[9];
	char	region[64];
	uint8_t secret_hash[32];
	uint8_t key[32];
};

/*
 * The value of Authorization.  Every header given is signed; `host`, x-amz-date and
 * x-amz-content-sha256 are to be among them.  ret_canonical (may be NULL): SHA-256 of the
 * canonical request in hex, 65 bytes, for comparison with what a server complains about.
 */
int	sign_v4(struct sign_cache *, const struct sign_key *, const struct sign_request *,
	    char ret_auth[SIGN_AUTH_SIZE], char *ret_canonical);
int	sign_v2(const struct sign_key *, const struct sign_request *,
	    char ret_auth[SIGN_AUTH_SIZE]);

void	sign_hex(const uint8_t *bytes, size_t n, char *ret_hex);	/* 2n + 1 bytes */
void	sign_base64(const uint8_t *bytes, size_t n, char *ret_text);	/* 4 * ((n + 2) / 3) + 1 */

#endif
