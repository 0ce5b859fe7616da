/* SPDX-License-Identifier: ISC */
/*
 * payload.h -- what must be known of a block before it is uploaded: is it zero, its checksums, its
 * stored form.  One pass over the bytes, for all attempts of the upload.
 *
 * Process:  uploader.  Threads: made in a thread of the pool (small blocks: at once), used in the
 *           main thread after `done`.
 * Owns:     the encoded form, freed by payload_free().
 * The CRC is CRC-32 as zlib's crc32() has it (ISO 3309), computed by libgcrypt, which is several
 * times faster; cachemgr may check it with either.
 */
#ifndef S3B_UPLOADER_PAYLOAD_H
#define S3B_UPLOADER_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "uploader/codec.h"
#include "uploader/jobs.h"
#include "uploader/slot_io.h"

struct conf;

enum { PAYLOAD_SHA256 = 1, PAYLOAD_MD5 = 2 };

struct payload {
	struct job	    job;	/* first: a job is its payload */
	struct slot_io	    io;
	uint32_t	    block;
	unsigned	    want;	/* PAYLOAD_* */
	const struct codec *codec;
	void		  (*ready)(struct payload *);
	void		   *arg;

	int		    error;
	bool		    zero;	/* nothing else below is set then */
	uint32_t	    crc;	/* of the block */
	/* of what is stored */
	uint64_t	    len;
	uint32_t	    stored_crc;
	uint8_t		    sha256[32], md5[16];
	struct codec_out    out;	/* data NULL: the body is the slot itself */
};

/* Which hashes of a block the requests of this configuration need: PAYLOAD_*. */
unsigned payload_hashes(const struct conf *);
/* `ready` is called later, or from inside for blocks so small that a thread is not worth it. */
void	payload_make(struct jobs *, struct payload *);
int	payload_read(const struct payload *, uint64_t off, void *buf, size_t len);
void	payload_free(struct payload *);	/* what it owns, not the struct */

/* CRC-32 of bytes that come in pieces. */
struct crc32_sum;
struct crc32_sum *crc32_sum_new(void);
void	 crc32_sum_add(struct crc32_sum *, const void *, size_t);
uint32_t crc32_sum_end(struct crc32_sum **);	/* NULL-safe: 0 */

#endif
