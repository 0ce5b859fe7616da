/* SPDX-License-Identifier: ISC */
/*
 * s3_body.c -- where the bodies of 2xx replies go, and whether they are what was asked for.
 *
 * A block that is stored as it is goes from libcurl's buffer into the cache file; nothing is written
 * before the header has been checked, and nothing beyond the range that was asked for.  What has
 * been written of a transfer that fails lies in a slot that nobody reads.
 */
#include "uploader/s3_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "uploader/etag.h"
#include "uploader/look.h"

#include "uploader/guard.h"

#define BULK_REPLY_MAX (1u << 20)
#define PEEK_MAX       ((size_t)5 << 28) /* the largest block, and what it may grow by */

/* ---- GET ---------------------------------------------------------------------------------- */
static int
refuse(struct s3_op *s, int error, const char *why)
{
	s->bad = why;
	return (error);
}

/* The header of a block has come: can we use the body, and where does it go? */
static int
get_head(struct s3_op *s)
{
	const struct http_reply *r = &s->http.reply;
	const struct s3 *s3 = s->s3;
	uint64_t size = s3->env.block_size;
	int error;

	(void)strlcpy(s->encoding,
	    r->encoding[0] != '\0' ? r->encoding : codec_default_encoding(s3->env.codec),
	    sizeof(s->encoding));
	if ((error = codec_check(s3->env.codec, s->encoding, &s->as_is, &s->bad)) < 0)
		return (error);
	if (!s->as_is) {
		if (r->status == 206) { /* a piece of it cannot be decoded */
			s->no_range = true;
			if (s->op->widen) { /* since all of it has to come: keep it */
				s->op->off = 0;
				s->op->len = (uint32_t)size;
			}
			return (-EAGAIN);
		}
		s->room = codec_stored_max(s3->env.codec, size);
		if (r->length > (int64_t)s->room)
			return (refuse(s, -EILSEQ, "it is longer than a block can be"));
		s->buffer = malloc(s->room);
		return (s->buffer != NULL ? 0 : -ENOMEM);
	}
	if (r->status == 206) {
		if ((r->range_total != 0 && r->range_total != size) ||
		    (r->length >= 0 && r->length != s->op->len))
			return (refuse(s, -EILSEQ, "its length is not that of a block"));
		s->body_at = s->op->off;
	} else if (r->length >= 0 && (uint64_t)r->length != size) {
		return (refuse(s, -EILSEQ, "its length is not that of a block"));
	}
	if (s->op->off == 0 && s->op->len == size)
		s->crc = crc32_sum_new();
	return (0);
}

static int
keep(struct s3_op *s, const void *data, size_t len)
{
	if (len > s->room - s->buffered)
		return (refuse(s, -EILSEQ, "it is longer than it can be"));
	memcpy(s->buffer + s->buffered, data, len);
	s->buffered += len;
	return (0);
}

static int
get_body(struct http_request *r, const void *data, size_t len)
{
	struct s3_op *s = (struct s3_op *)r;
	const struct store_op *op = s->op;
	uint64_t pos = r->reply.received - len, at, end, from, to;
	int error;

	if (pos == 0 && (error = get_head(s)) < 0)
		return (error);
	if (!s->as_is)
		return (keep(s, data, len));
	at = s->body_at + pos;
	end = at + len;
	if (end > (r->reply.status == 206 ? (uint64_t)op->off + op->len : s->s3->env.block_size))
		return (refuse(s, -EILSEQ, "it is longer than was announced"));
	if (s->crc != NULL)
		crc32_sum_add(s->crc, data, len);
	from = max_u64(at, op->off);
	to = min_u64(end, (uint64_t)op->off + op->len);
	if (from >= to || op->io.fd < 0)
		return (0);
	return (slot_io_write(&op->io, from, (const char *)data + (from - at), to - from));
}

static void
decode_run(struct job *j, void *scratch)
{
	struct s3_op *s = (struct s3_op *)((char *)j - offsetof(struct s3_op, job));
	const struct s3 *s3 = s->s3;
	struct store_op *op = s->op;
	size_t size = s3->env.block_size;
	uint8_t *out = malloc(size);
	int error;

	(void)scratch;
	error = out == NULL ? -ENOMEM : s3_verify_buffer(s);
	if (error == 0)
		error = codec_decode(s3->env.codec, op->block, s->encoding, s->http.reply.hmac,
		    s->buffer, s->buffered, out, size, &s->bad);
	if (error == 0 && op->off == 0 && op->len == size && (s->crc = crc32_sum_new()) != NULL)
		crc32_sum_add(s->crc, out, size);
	if (error == 0)
		error = slot_io_write(&op->io, op->off, out + op->off, op->len);
	free(out);
	s->job_error = error;
}

static void
decode_done(struct job *j)
{
	struct s3_op *s = (struct s3_op *)((char *)j - offsetof(struct s3_op, job));

	s->http.reply.error = s3_verify_decoded(s, s->job_error);
	s->op->reply.crc = crc32_sum_end(&s->crc);
	s3_judge(s->s3, s);
	s3_finish(s);
}

static int
get_end(struct s3_op *s, bool *ret_later)
{
	const struct http_reply *r = &s->http.reply;
	uint64_t want = r->status == 206 ? s->op->len : s->s3->env.block_size;

	if (r->received == 0)
		return (refuse(s, -EILSEQ, "it is empty"));
	if (!s->as_is) {
		s->job.run = decode_run;
		s->job.done = decode_done;
		s->job.urgent = !s->op->background;
		s3_verify_prepare(s);
		*ret_later = true;
		s->in_job = true;
		jobs_submit(s->s3->env.jobs, &s->job);
		return (0);
	}
	if (r->received != want)
		return (refuse(s, -EILSEQ, "its length is not that of a block"));
	s->op->reply.crc = crc32_sum_end(&s->crc);
	return (s3_verify_slot(s, ret_later));
}

/* ---- the others --------------------------------------------------------------------------- */
/* A store that ignores ranges sends the whole object: one byte is enough to know. */
static int
stat_body(struct http_request *r, const void *data, size_t len)
{
	(void)data, (void)len;
	return (r->reply.status == 206 ? 0 : -ECANCELED);
}

static int
buffer_body(struct http_request *r, const void *data, size_t len)
{
	struct s3_op *s = (struct s3_op *)r;
	size_t want = s->buffered + len + 1;

	if (want > (s->op->kind == STORE_PEEK ? PEEK_MAX : BULK_REPLY_MAX))
		return (refuse(s, -EILSEQ, "it is longer than it can be"));
	if (want > s->room) {
		size_t room = pow2_ceil(want);
		uint8_t *more = realloc(s->buffer, room);

		if (more == NULL)
			return (-ENOMEM);
		s->buffer = more;
		s->room = room;
	}
	memcpy(s->buffer + s->buffered, data, len);
	s->buffered += len;
	s->buffer[s->buffered] = '\0';
	return (0);
}

static int
on_key(void *arg, const char *key, size_t len, const char *etag)
{
	struct s3_op *s = arg;
	struct store_op *op = s->op;
	uint8_t bytes[16];
	uint32_t block;

	if (len >= sizeof(s->last_key))
		return (0); /* too long to be ours */
	memcpy(s->last_key, key, len);
	s->last_key[len] = '\0';
	if (op->look != NULL)
		look_note(op->look, &s->s3->env.names, key, len);
	if (name_parse(&s->s3->env.names, key, len, &block) && block >= op->first &&
	    block <= op->last && op->on_block != NULL)
		op->on_block(op, block, etag_bytes(etag, bytes) ? bytes : NULL);
	return (0);
}

static int
list_body(struct http_request *r, const void *data, size_t len)
{
	struct s3_op *s = (struct s3_op *)r;
	int error;

	if (s->list == NULL && (error = xml_list_new(on_key, s, &s->list)) < 0)
		return (error);
	return (xml_list_feed(s->list, data, len));
}

static int
list_end(struct s3_op *s)
{
	struct store_op *op = s->op;
	char end[NAME_SIZE];
	bool more = false;
	int error;

	if (s->list == NULL || (error = xml_list_end(s->list, &more)) < 0)
		return (refuse(s, -EILSEQ, "the reply is no list of objects"));
	if (!more)
		return (0);
	/* "There is more" and nothing to go on from would be asked for ever. */
	if (s->last_key[0] == '\0' || strcmp(s->last_key, op->after) <= 0)
		return (refuse(s, -EILSEQ, "the list does not go on"));
	(void)name_of_block(&s->s3->env.names, op->last, end);
	(void)strlcpy(op->after, s->last_key, sizeof(op->after));
	op->reply.more = s->s3->env.names.hashed || strcmp(s->last_key, end) < 0;
	return (0);
}

static int
bulk_end(struct s3_op *s)
{
	struct xml_deleted d;

	if (xml_deleted_parse((const char *)s->buffer, s->buffered, &d) < 0)
		return (-EILSEQ);
	if (d.nerrors > 0)
		return (refuse(s, -EREMOTEIO, "some of the objects could not be deleted"));
	return (0);
}

void
s3_body_sink(struct s3_op *s)
{
	switch (s->op->kind) {
	case STORE_GET:
		s->http.body_write = get_body;
		break;
	case STORE_STAT:
		s->http.body_write = stat_body;
		break;
	case STORE_LIST:
		s->http.body_write = list_body;
		break;
	case STORE_PEEK:
	case STORE_TOKEN_GET:
	case STORE_DELETE_MANY:
		s->http.body_write = buffer_body;
		break;
	default:
		break; /* kept in reply.text, to be looked at for an error document */
	}
}

int
s3_body_end(struct s3_op *s, bool *ret_later)
{
	*ret_later = false;
	switch (s->op->kind) {
	case STORE_GET:
		return (get_end(s, ret_later));
	case STORE_LIST:
		return (list_end(s));
	case STORE_DELETE_MANY:
		return (bulk_end(s));
	case STORE_PEEK:
		s->op->data = s->buffer;
		s->op->data_len = s->buffered;
		s->buffer = NULL;
		return (0);
	case STORE_TOKEN_GET:
		(void)strlcpy(s->op->reply.body, s->buffer != NULL ? (const char *)s->buffer : "",
		    sizeof(s->op->reply.body));
		return (0);
	default:
		return (0);
	}
}
