/* SPDX-License-Identifier: ISC */
#include "uploader/payload.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "common/blockmath.h"
#include "common/check.h"
#include "common/conf.h"

#include "uploader/guard.h"

/* Waking a thread costs about as long as hashing this much. */
#define HASH_AT_ONCE (64u * 1024)

static uint32_t
big_endian(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static gcry_md_hd_t
open_hash(unsigned want, bool crc)
{
	gcry_md_hd_t h;

	MUST(gcry_md_open(&h, 0, 0) == 0);
	if (crc)
		MUST(gcry_md_enable(h, GCRY_MD_CRC32) == 0);
	if (want & PAYLOAD_SHA256)
		MUST(gcry_md_enable(h, GCRY_MD_SHA256) == 0);
	if (want & PAYLOAD_MD5)
		MUST(gcry_md_enable(h, GCRY_MD_MD5) == 0);
	return (h);
}

static void
take_hashes(struct payload *p, gcry_md_hd_t h)
{
	if (p->want & PAYLOAD_SHA256)
		memcpy(p->sha256, gcry_md_read(h, GCRY_MD_SHA256), 32);
	if (p->want & PAYLOAD_MD5)
		memcpy(p->md5, gcry_md_read(h, GCRY_MD_MD5), 16);
}

/* The block is stored as it is: checksums of the slot, piece by piece. */
static int
sum_slot(struct payload *p, unsigned char *piece)
{
	gcry_md_hd_t h = open_hash(p->want, true);
	bool zero = true;
	int error = 0;

	for (uint64_t off = 0; off < p->io.size && error == 0; off += JOBS_SCRATCH) {
		size_t n = min_u64(JOBS_SCRATCH, p->io.size - off);
		const uint8_t *bytes = slot_io_at(&p->io, off, n);

		if (bytes == NULL && (error = slot_io_read(&p->io, off, piece, n)) < 0)
			break;
		if (bytes == NULL)
			bytes = piece;
		zero = zero && mem_is_zero(bytes, n);
		gcry_md_write(h, bytes, n);
	}
	if (error == 0) {
		p->zero = zero;
		p->len = p->io.size;
		p->crc = p->stored_crc = big_endian(gcry_md_read(h, GCRY_MD_CRC32));
		take_hashes(p, h);
	}
	gcry_md_close(h);
	return (error);
}

/* What is sent, if it is not the block: in pieces, so that the second hash finds them near. */
static void
sum_stored(struct payload *p, const uint8_t *stored)
{
	gcry_md_hd_t h = open_hash(p->want, p->out.data != NULL);

	for (uint64_t off = 0; off < p->len; off += JOBS_SCRATCH)
		gcry_md_write(h, stored + off, min_u64(JOBS_SCRATCH, p->len - off));
	p->stored_crc = p->out.data != NULL ? big_endian(gcry_md_read(h, GCRY_MD_CRC32)) : p->crc;
	take_hashes(p, h);
	gcry_md_close(h);
}

/* It is encoded first: the checksum is of the block, the hashes are of what is sent. */
static int
sum_encoded(struct payload *p)
{
	uint8_t *copy = NULL, crc[4];
	const uint8_t *whole = slot_io_at(&p->io, 0, p->io.size);
	int error = 0;

	if (whole == NULL) {
		if ((copy = malloc(p->io.size)) == NULL)
			return (-ENOMEM);
		if ((error = slot_io_read(&p->io, 0, copy, p->io.size)) < 0)
			goto out;
		whole = copy;
	}
	p->zero = mem_is_zero(whole, p->io.size);
	gcry_md_hash_buffer(GCRY_MD_CRC32, crc, whole, p->io.size);
	p->crc = big_endian(crc);
	if (p->zero)
		goto out;
	if ((error = codec_encode(p->codec, p->block, whole, p->io.size, &p->out)) < 0)
		goto out;
	p->len = p->out.len;
	sum_stored(p, p->out.data != NULL ? p->out.data : whole);
out:
	free(copy);
	return (error);
}

unsigned
payload_hashes(const struct conf *conf)
{
	if (conf->store_is_dir)
		return (0);
	/* A signed SHA-256 lets the store refuse a damaged body; without one Content-MD5 does. */
	/* Unsigned: an id that is empty.  None at all means that a role or a file has it. */
	if ((conf->access_id != NULL && *conf->access_id == '\0') ||
	    conf->auth_version == CONF_AUTH_AWS2)
		return (PAYLOAD_MD5);
	return (PAYLOAD_SHA256);
}

static void
payload_run(struct job *j, void *scratch)
{
	struct payload *p = (struct payload *)j;

	p->error = codec_is_plain(p->codec) ? sum_slot(p, scratch) : sum_encoded(p);
}

static void
payload_done(struct job *j)
{
	struct payload *p = (struct payload *)j;

	p->ready(p);
}

void
payload_make(struct jobs *jobs, struct payload *p)
{
	static unsigned char *piece; /* main thread only */

	p->job.run = payload_run;
	p->job.done = payload_done;
	if (p->io.size > HASH_AT_ONCE || !codec_is_plain(p->codec) ||
	    (piece == NULL && (piece = malloc(JOBS_SCRATCH)) == NULL)) {
		jobs_submit(jobs, &p->job);
	} else {
		payload_run(&p->job, piece);
		p->ready(p);
	}
}

int
payload_read(const struct payload *p, uint64_t off, void *buf, size_t len)
{
	if (p->out.data == NULL)
		return (slot_io_read(&p->io, off, buf, len));
	if (!range_within(off, len, p->out.len))
		return (-EINVAL);
	memcpy(buf, p->out.data + off, len);
	return (0);
}

void
payload_free(struct payload *p)
{
	free(p->out.data);
	p->out.data = NULL;
}

/* ---- a checksum on the side --------------------------------------------------------------- */
struct crc32_sum {
	gcry_md_hd_t h;
};

struct crc32_sum *
crc32_sum_new(void)
{
	struct crc32_sum *s = malloc(sizeof(*s));

	if (s != NULL)
		s->h = open_hash(0, true);
	return (s);
}

void
crc32_sum_add(struct crc32_sum *s, const void *data, size_t len)
{
	gcry_md_write(s->h, data, len);
}

uint32_t
crc32_sum_end(struct crc32_sum **sp)
{
	struct crc32_sum *s = *sp;
	uint32_t crc;

	if (s == NULL)
		return (0);
	crc = big_endian(gcry_md_read(s->h, GCRY_MD_CRC32));
	gcry_md_close(s->h);
	free(s);
	*sp = NULL;
	return (crc);
}
