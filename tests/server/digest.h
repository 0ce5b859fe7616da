/* SPDX-License-Identifier: ISC */
/*
 * digest.h -- hashes, checksums and their spellings (OpenSSL's libcrypto, plus two CRCs).
 *
 * Process:  s3testd, any thread; no state.
 * Errors:   none, but base64_decode(), hex text that is not hex simply does not compare equal.
 */
#ifndef S3TESTD_DIGEST_H
#define S3TESTD_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_MAX 64 /* bytes of the longest digest here */

enum digest_kind {
	DIGEST_MD5,
	DIGEST_SHA1,
	DIGEST_SHA256,
};

/* Return the digest's length in bytes. */
size_t digest(enum digest_kind, const void *, size_t, unsigned char *ret_md);
size_t digest_hmac(
    enum digest_kind, const void *key, size_t keylen, const void *, size_t, unsigned char *ret_md);
void digest_hex(enum digest_kind, const void *, size_t, char *ret_hex);

/* Sixteen bytes that change when the data does, at memory speed; not cryptographic. */
void digest_fast(const void *, size_t, unsigned char ret_md[16]);

uint32_t crc32_ieee(const void *, size_t);
uint32_t crc32c(const void *, size_t);

void hex_encode(const unsigned char *, size_t, char *ret_hex); /* 2n + NUL, lower case */
void base64_encode(const unsigned char *, size_t, char *ret_text);
int base64_decode(const char *, unsigned char *ret_data, size_t max); /* length or -EINVAL */

#endif
