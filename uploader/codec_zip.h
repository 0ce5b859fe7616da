/* SPDX-License-Identifier: ISC */
/*
 * codec_zip.h -- compression of blocks.
 *
 * Process:  uploader.  Threads: any, at once.
 * Owns:     what compressing works in; the result is the caller's to free.
 * Errors:   -ENOMEM.
 */
#ifndef S3B_UPLOADER_CODEC_ZIP_H
#define S3B_UPLOADER_CODEC_ZIP_H

#include <stddef.h>
#include <stdint.h>

struct zip;

struct zip *zip_new(void); /* NULL: no memory */
void	zip_free(struct zip **);

size_t	zip_bound(size_t len);
/*
 * `method` is CONF_COMPRESS_DEFLATE or _ZSTD, `level` may be CONF_LEVEL_DEFAULT.  *ret_out has `spare`
 * bytes more than *ret_len; NULL: it became longer than `most`, and is not wanted.
 */
int	zip_compress(struct zip *, uint32_t method, int level, const uint8_t *in, size_t len,
	    size_t most, size_t spare, uint8_t **ret_out, size_t *ret_len);

#endif
