/* SPDX-License-Identifier: ISC */
/*
 * sign.h -- AWS signatures, versions 4 and 2, computed from what came over the wire.
 *
 * Process:  s3testd, any thread; pure functions, no state, no policy (auth.c has that).
 * Standard: "Signature Calculations for the Authorization Header" (S3 API reference): the path is
 *           decoded and encoded once, never normalised; "Signing and Authenticating REST Requests"
 *           for version 2.  Written from those pages alone, to check another implementation.
 * Owns:     struct sigv4 and struct text results are the caller's (sigv4_free, text_free).
 * Errors:   0 or -EINVAL: the header is not in the form the standard gives.
 */
#ifndef S3TESTD_SIGN_H
#define S3TESTD_SIGN_H

struct text;

struct header {
	const char *name, *value;
};

struct sign_input {
	const char *method;
	const char *raw_path;  /* as on the request line */
	const char *raw_query; /* without '?'; NULL if none */
	const struct header *hdr;
	int nhdr;
};

struct sigv4 { /* the parts of an Authorization header */
	char *id, *date, *region, *service, *signed_headers, *signature;
};

int sigv4_parse(const char *authorization, struct sigv4 *ret_auth);
void sigv4_free(struct sigv4 *);
int sigv4_canonical(const struct sign_input *, const char *signed_headers, const char *payload_hash,
    struct text *ret_text);
void sigv4_string(
    const struct sigv4 *, const char *amz_date, const char *canonical, struct text *ret_text);
void sigv4_key(const struct sigv4 *, const char *secret, unsigned char ret_key[32]);
void sigv4_sign(const struct sigv4 *, const char *secret, const char *string, char ret_hex[65]);

/* `bucket` comes from the Host header, or is NULL in path style. */
void sigv2_string(const struct sign_input *, const char *bucket, struct text *ret_text);
void sigv2_sign(const char *secret, const char *string, char ret_base64[32]);

const char *header_get(const struct header *, int n, const char *name); /* NULL: not there */

#endif
