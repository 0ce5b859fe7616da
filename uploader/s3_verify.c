/* SPDX-License-Identifier: ISC */
/*
 * s3_verify.c -- are the bytes of a block those that were stored?
 *
 *  V1 A reply with x-amz-checksum-crc32 (we send one with each PUT, where the store takes it): the
 *     stored bytes must have it.
 *  V2 Else, where the ETag can be an MD5 (32 digits, no encryption by KMS or the customer's key): they
 *     must have it -- on a store whose ETags are MD5s, which is learnt: from the first PUT, whose MD5
 *     is known, or from the first GET that fits.  A body that does not fit before anything is known is
 *     fetched again; the same bytes under the same ETag twice mean that the ETag is no MD5.
 *  V3 Encrypted blocks have an HMAC of their own and need neither.
 * What does not fit is never data: it is fetched again, and in the end it is EIO.
 *
 * Threads: the MD5 of a block in the slot is computed in a thread of the pool, from the slot.
 */
#include "uploader/s3_priv.h"

#include <ctype.h>
#include <errno.h>
#include <gcrypt.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/inject.h"
#include "common/log.h"
#include "uploader/etag.h"
#include "uploader/s3_sign.h"

#include "uploader/guard.h"

static const char bad_crc[] = "its bytes do not have the checksum that was stored with them";
static const char bad_md5[] = "its bytes do not have the MD5 that its ETag is "
			      "(verifyReads = no takes them all the same)";

/* ---- checksums ----------------------------------------------------------------------------- */
void
s3_checksum_text(uint32_t crc, char ret_text[9])
{
	const uint8_t be[4] = {
	    (uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};

	sign_base64(be, 4, ret_text);
}

/* Compared as text: what cannot be ours, also the sum of a multipart upload, is none. */
static bool
has_checksum(const struct http_reply *r)
{
	return (strlen(r->crc32) == 8 && !INJECT_FAIL("mutate.p1-no-checksum"));
}

static bool
checksum_fits(const struct http_reply *r, uint32_t crc)
{
	char text[9];

	s3_checksum_text(crc, text);
	return (strcmp(text, r->crc32) == 0);
}

/* ---- MD5s ---------------------------------------------------------------------------------- */
static bool
may_be_md5(const struct s3 *s3, const struct http_reply *r)
{
	return (s3->etags != ETAGS_NO_MD5 && !r->etag_is_no_md5 && etag_looks_like_md5(r->etag));
}

static void
no_md5s(struct s3 *s3)
{
	log_info(
	    "ETags of this store are no MD5s: blocks without a checksum of their own are taken "
	    "as they come");
	s3->etags = ETAGS_NO_MD5;
	s3->store.learn_md5 = false;
}

static void
are_md5s(struct s3 *s3)
{
	s3->etags = ETAGS_MD5;
	s3->store.learn_md5 = false;
}

/* V2.  Main thread. */
static int
judge_md5(struct s3_op *s, const uint8_t md5[16])
{
	struct s3 *s3 = s->s3;
	struct store_op *op = s->op;
	const struct http_reply *r = &s->http.reply;
	uint8_t want[16];

	if (!etag_bytes(r->etag, want))
		return (0);
	if (memcmp(md5, want, 16) == 0) {
		if (s3->etags == ETAGS_UNKNOWN)
			are_md5s(s3);
		return (0);
	}
	if (s3->etags == ETAGS_NO_MD5) /* learnt while this one was on its way */
		return (0);
	if (s3->etags == ETAGS_UNKNOWN && strcmp(op->odd_etag, r->etag) == 0 &&
	    memcmp(op->odd_md5, md5, 16) == 0) {
		no_md5s(s3);
		return (0);
	}
	(void)strlcpy(op->odd_etag, r->etag, sizeof(op->odd_etag));
	memcpy(op->odd_md5, md5, 16);
	s->bad = bad_md5;
	return (-EILSEQ);
}

void
s3_learn_from_put(struct s3_op *s)
{
	const struct payload *p = s->op->payload;
	const struct http_reply *r = &s->http.reply;
	uint8_t etag[16];

	if (s->s3->etags != ETAGS_UNKNOWN || (p->want & PAYLOAD_MD5) == 0 ||
	    !may_be_md5(s->s3, r) || !etag_bytes(r->etag, etag))
		return;
	if (memcmp(etag, p->md5, 16) == 0)
		are_md5s(s->s3);
	else
		no_md5s(s->s3);
}

/* ---- a block in its slot -------------------------------------------------------------------- */
static void
sum_run(struct job *j, void *scratch)
{
	struct s3_op *s = (struct s3_op *)((char *)j - offsetof(struct s3_op, job));
	const struct slot_io *io = &s->op->io;
	gcry_md_hd_t h;
	int error = 0;

	MUST(gcry_md_open(&h, GCRY_MD_MD5, 0) == 0);
	for (uint64_t off = 0; off < io->size && error == 0; off += JOBS_SCRATCH) {
		size_t n = min_u64(JOBS_SCRATCH, io->size - off);

		const uint8_t *bytes = slot_io_at(io, off, n);

		if (bytes == NULL && (error = slot_io_read(io, off, scratch, n)) < 0)
			break;
		gcry_md_write(h, bytes != NULL ? bytes : scratch, n);
	}
	memcpy(s->md5, gcry_md_read(h, GCRY_MD_MD5), 16);
	gcry_md_close(h);
	s->job_error = error;
}

static void
sum_done(struct job *j)
{
	struct s3_op *s = (struct s3_op *)((char *)j - offsetof(struct s3_op, job));

	s->http.reply.error = s->job_error < 0 ? s->job_error : judge_md5(s, s->md5);
	s3_judge(s->s3, s);
	s3_finish(s);
}

int
s3_verify_slot(struct s3_op *s, bool *ret_later)
{
	const struct http_reply *r = &s->http.reply;
	const struct store_op *op = s->op;

	if ((!s->s3->env.conf->verify_reads && !op->verify) || op->off != 0 ||
	    op->len != op->io.size || op->io.fd < 0 || INJECT_FAIL("mutate.p1-any-body"))
		return (0);
	if (has_checksum(r)) {
		if (checksum_fits(r, op->reply.crc))
			return (0);
		s->bad = bad_crc;
		return (-EILSEQ);
	}
	if (!may_be_md5(s->s3, r))
		return (0);
	s->job.run = sum_run;
	s->job.done = sum_done;
	s->job.urgent = !op->background;
	*ret_later = true;
	s->in_job = true;
	jobs_submit(s->s3->env.jobs, &s->job);
	return (0);
}

/* ---- an encoded object in memory ------------------------------------------------------------ */
/* In a thread of the pool.  0: it fits, or there is nothing that it should fit. */
int
s3_verify_buffer(struct s3_op *s)
{
	const struct http_reply *r = &s->http.reply;
	uint8_t be[4];

	s->verified = s->summed = false;
	if (!s->s3->env.conf->verify_reads && !s->op->verify)
		return (0);
	if (has_checksum(r)) {
		gcry_md_hash_buffer(GCRY_MD_CRC32, be, s->buffer, s->buffered);
		s->verified = checksum_fits(r,
		    (uint32_t)be[0] << 24 | (uint32_t)be[1] << 16 | (uint32_t)be[2] << 8 | be[3]);
		s->bad = s->verified ? NULL : bad_crc;
		return (s->verified ? 0 : -EILSEQ);
	}
	if (r->hmac[0] != '\0' || !s->md5_wanted)
		return (0);
	gcry_md_hash_buffer(GCRY_MD_MD5, s->md5, s->buffer, s->buffered);
	s->summed = true;
	return (0);
}

/* Main thread, before the job: what it cannot look at itself. */
void
s3_verify_prepare(struct s3_op *s)
{
	s->md5_wanted = may_be_md5(s->s3, &s->http.reply);
}

/* Main thread, after the job. */
int
s3_verify_decoded(struct s3_op *s, int error)
{
	int fits = s->summed ? judge_md5(s, s->md5) : 0;

	if (fits < 0)
		return (fits);
	/* What nothing vouches for may have been damaged on its way: it is fetched again first. */
	if (error == -EBADMSG && !s->verified && !s->summed)
		return (-EILSEQ);
	return (error);
}
