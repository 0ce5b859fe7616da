/* SPDX-License-Identifier: ISC */
/*
 * etag.h -- what is inside an ETag: BUCKET-FORMAT.md section 7.
 *
 * Process:  uploader.  Threads: any; pure.
 * A usable ETag begins with 32 hexadecimal digits, which travel as 16 bytes in messages and in the
 * cache's side table; the suffix of a multipart upload is not kept.
 */
#ifndef S3B_UPLOADER_ETAG_H
#define S3B_UPLOADER_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#define ETAG_TEXT 35	/* 32 digits, two quotes, NUL */

/* False, and nothing stored, for what is no ETag in this sense.  Listings may leave the quotes out. */
bool	etag_bytes(const char *etag, uint8_t ret_etag[16]);
void	etag_text(const uint8_t etag[16], char ret_text[ETAG_TEXT]);
/* Exactly 32 digits, as the MD5 of a body is written; whether it is one only the store knows. */
bool	etag_looks_like_md5(const char *etag);

#endif
