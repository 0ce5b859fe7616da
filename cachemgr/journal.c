/* SPDX-License-Identifier: ISC */
#include "cachemgr/journal.h"

#include <endian.h>
#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "common/cleanup.h"
#include "common/durable.h"
#include "common/inject.h"

#define MAGIC	   "S3BJRNL3"
#define MAGIC_OLD  "S3BJRNL2" /* each batch came with an fdatasync of everything before it */
#define HEAD	   64u
#define F_SNAPSHOT 1u
#define BUF_ALIGN  4096u /* what O_DIRECT wants */

uint32_t
crc32_of(uint32_t seed, const void *p, size_t len)
{
	uint8_t out[4], s[4] = {(uint8_t)seed, (uint8_t)(seed >> 8), (uint8_t)(seed >> 16),
			    (uint8_t)(seed >> 24)};
	gcry_buffer_t iov[2] = {
	    {.data = s, .len = sizeof(s)},
	    {.data = (void *)(uintptr_t)p, .len = len},
	};

	/* The seed goes first, as bytes: it binds the sum to a place. */
	gcry_md_hash_buffers(GCRY_MD_CRC32, 0, out, iov, 2);
	return ((uint32_t)out[0] << 24 | (uint32_t)out[1] << 16 | (uint32_t)out[2] << 8 | out[3]);
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void
put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (le32toh(v));
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (le64toh(v));
}

/* ---- building -------------------------------------------------------------------------- */

static uint8_t *
grow(uint8_t **buf, size_t *len, size_t *cap, size_t more)
{
	uint8_t *p;
	void *new;

	if (*len + more > *cap) {
		size_t want = *cap > 0 ? *cap * 2 : 65536;

		while (want < *len + more)
			want *= 2;
		if (posix_memalign(&new, BUF_ALIGN, want) != 0)
			return (NULL);
		if (*len > 0)
			memcpy(new, *buf, *len);
		free(*buf);
		*buf = new;
		*cap = want;
	}
	p = *buf + *len;
	*len += more;
	return (p);
}

void
journal_begin(struct journal_batch *j, bool snapshot)
{
	uint8_t *p;

	j->len = j->data_len = 0;
	j->nrec = 0;
	j->snapshot = snapshot;
	p = grow(&j->buf, &j->len, &j->cap, HEAD);
	j->failed = p == NULL;
	if (p != NULL)
		memset(p, 0, HEAD);
}

void
journal_add(struct journal_batch *j, const struct journal_rec *r)
{
	uint8_t *p = grow(&j->buf, &j->len, &j->cap, JOURNAL_REC);

	if (p == NULL) {
		j->failed = true;
		return;
	}
	memset(p, 0, JOURNAL_REC);
	p[0] = r->kind;
	p[1] = r->flags;
	put32(p + 4, r->slot);
	put32(p + 8, r->block);
	put32(p + 12, r->count);
	put32(p + 16, r->offset);
	if (r->kind == JREC_SLOT)
		for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++)
			put64(p + 32 + w * 8, r->valid[w]);
	j->nrec++;
}

uint8_t *
journal_add_data(struct journal_batch *j, uint32_t slot, uint32_t offset, uint32_t len)
{
	struct journal_rec r = {.kind = JREC_DATA, .slot = slot, .count = len, .offset = offset};
	uint8_t *p;

	journal_add(j, &r);
	p = grow(&j->data, &j->data_len, &j->data_cap, len);
	if (p == NULL)
		j->failed = true;
	return (p);
}

int
journal_seal(struct journal_batch *j, const struct journal_pos *pos, uint64_t settled,
    uint32_t align, uint32_t *ret_crc)
{
	size_t pad;
	uint8_t *p;

	if (!j->failed && j->data_len > 0) {
		p = grow(&j->buf, &j->len, &j->cap, j->data_len);
		if (p != NULL)
			memcpy(p, j->data, j->data_len);
		else
			j->failed = true;
	}
	pad = (align - j->len % align) % align;
	p = j->failed ? NULL : grow(&j->buf, &j->len, &j->cap, pad);
	if (p == NULL)
		return (-ENOMEM);
	memset(p, 0, pad);
	p = j->buf;
	memcpy(p, MAGIC, 8);
	put64(p + 8, pos->generation + (j->snapshot ? 1 : 0));
	put64(p + 16, pos->sequence + 1);
	put32(p + 24, (uint32_t)j->len);
	put32(p + 28, j->nrec);
	put32(p + 32, 0);
	put32(p + 36, j->snapshot ? F_SNAPSHOT : 0);
	put32(p + 40, j->snapshot ? 0 : pos->crc);
	put64(p + 48, pos->writer);
	put64(p + 56, settled);
	*ret_crc = crc32_of(0, p, j->len);
	put32(p + 32, *ret_crc);
	return (0);
}

void
journal_batch_free(struct journal_batch *j)
{
	free(j->buf);
	free(j->data);
	memset(j, 0, sizeof(*j));
}

/* ---- reading --------------------------------------------------------------------------- */

struct batch { /* one read batch, whole */
	uint8_t *buf;
	uint64_t generation, sequence, settled;
	uint32_t bytes, nrec, flags;
	uint32_t crc, before; /* names: its own, and that of the batch it follows */
};

static bool
is_magic(const uint8_t *p)
{
	return (memcmp(p, MAGIC, 8) == 0 || memcmp(p, MAGIC_OLD, 8) == 0);
}

/* The batch at `off` of a half; -ENOENT: there is none that is valid. */
static int
read_batch(int fd, uint64_t at, uint64_t room, struct batch *b)
{
	uint8_t head[HEAD];
	uint32_t crc;
	uint8_t *buf;
	int error;

	if (room < JOURNAL_SECTOR)
		return (-ENOENT);
	if ((error = pread_full(fd, head, sizeof(head), (off_t)at)) < 0)
		return (error);
	b->bytes = get32(head + 24);
	b->nrec = get32(head + 28);
	if (!is_magic(head) || b->bytes < JOURNAL_SECTOR || b->bytes % JOURNAL_SECTOR != 0 ||
	    b->bytes > room || (uint64_t)b->nrec * JOURNAL_REC + HEAD > b->bytes)
		return (-ENOENT);
	buf = realloc(b->buf, b->bytes);
	if (buf == NULL)
		return (-ENOMEM);
	b->buf = buf;
	if ((error = pread_full(fd, buf, b->bytes, (off_t)at)) < 0)
		return (error);
	crc = get32(buf + 32);
	put32(buf + 32, 0);
	if (crc32_of(0, buf, b->bytes) != crc && !INJECT_FAIL("mutate.d4-any-checksum"))
		return (-ENOENT);
	b->generation = get64(buf + 8);
	b->sequence = get64(buf + 16);
	b->flags = get32(buf + 36);
	b->settled = memcmp(buf, MAGIC_OLD, 8) == 0 ? b->sequence - 1 : get64(buf + 56);
	b->crc = crc;
	b->before = get32(buf + 40);
	return (0);
}

static int
visit_batch(const struct batch *b, const struct journal_visit *v, struct journal_pos *pos)
{
	const uint8_t *data = b->buf + HEAD + (size_t)b->nrec * JOURNAL_REC;
	const uint8_t *end = b->buf + b->bytes;

	pos->settled = b->settled;
	v->settled(v->ctx, b->settled);
	for (uint32_t i = 0; i < b->nrec; i++) {
		const uint8_t *p = b->buf + HEAD + (size_t)i * JOURNAL_REC;
		struct journal_rec r = {.kind = p[0],
		    .flags = p[1],
		    .slot = get32(p + 4),
		    .block = get32(p + 8),
		    .count = get32(p + 12),
		    .offset = get32(p + 16)};
		int error;

		for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++)
			r.valid[w] = get64(p + 32 + w * 8);
		if (r.kind == JREC_DATA) {
			if (r.count > (size_t)(end - data))
				return (-EUCLEAN);
			r.data = data;
			data += r.count;
			pos->data_sequence = b->sequence;
		}
		if ((error = v->rec(v->ctx, &r, b->sequence)) < 0)
			return (error);
	}
	return (0);
}

/* Is the batch behind this one valid, and its successor? */
static bool
follows(const struct batch *b, const struct batch *next)
{
	return (next->generation == b->generation && next->sequence == b->sequence + 1 &&
		(next->flags & F_SNAPSHOT) == 0 &&
		(next->before == b->crc || INJECT_FAIL("mutate.d4-any-predecessor")));
}

/* Sectors that begin as a batch does, looked at in pieces. */
#define PIECE 65536u

/*
 * Is there a valid batch at `from` or behind it, of this generation or a later one, that the journal has
 * come to no more?  -EUCLEAN then.
 */
static int
look_behind(
    int fd, uint64_t off, uint64_t from, uint64_t bytes, uint64_t generation, uint64_t sequence)
{
	uint8_t *piece = malloc(PIECE);
	struct batch b = {0};
	int error = piece == NULL ? -ENOMEM : 0;

	for (uint64_t at = from, n; error == 0 && at < bytes; at += n) {
		n = bytes - at < PIECE ? bytes - at : PIECE;
		error = pread_full(fd, piece, n, (off_t)(off + at));
		for (uint64_t i = 0; error == 0 && i + HEAD <= n; i += JOURNAL_SECTOR) {
			if (!is_magic(piece + i) || get64(piece + i + 8) < generation ||
			    get64(piece + i + 16) <= sequence)
				continue;
			error = read_batch(fd, off + at + i, bytes - at - i, &b);
			error = error == 0 ? -EUCLEAN : error == -ENOENT ? 0 : error;
		}
	}
	free(b.buf);
	free(piece);
	return (error);
}

static bool
is_forgiven(int error, const struct journal_visit *v)
{
	return (
	    error == -EUCLEAN && (v->damage_is_end || INJECT_FAIL("mutate.d4-damage-is-the-end")));
}

/* Before what DATA says is believed: is this the last one that there was? */
static int
check_end(int fd, uint64_t off, uint64_t at, uint64_t bytes, const struct batch *b,
    const struct journal_visit *v)
{
	/* Later ones are no damage: the superblock may not have been written again since. */
	bool is_there = b->sequence > v->last_sequence ||
			(b->sequence == v->last_sequence && b->crc == v->last_crc);
	int error = v->last_sequence != 0 && !is_there
			? -EUCLEAN
			: look_behind(fd, off, at, bytes, b->generation, b->sequence);

	return (is_forgiven(error, v) ? 0 : error);
}

static int
read_half(
    int fd, uint64_t off, uint64_t bytes, struct journal_pos *pos, const struct journal_visit *v)
{
	struct batch b[2] = {0};
	unsigned cur = 0;
	uint64_t at = 0;
	int error, more;

	if ((error = read_batch(fd, off, bytes, &b[0])) < 0)
		goto out;
	v->reset(v->ctx);
	for (;;) {
		struct batch *next = &b[!cur];

		at += b[cur].bytes;
		more = read_batch(fd, off + at, bytes - at, next);
		if (more < 0 && more != -ENOENT) {
			error = more;
			goto out;
		}
		if (more == 0 && !follows(&b[cur], next))
			more = -ENOENT;
		if (more != 0 && (error = check_end(fd, off, at, bytes, &b[cur], v)) < 0)
			goto out;
		error = visit_batch(&b[cur], v, pos);
		if (error < 0 || more != 0)
			break;
		cur = !cur;
	}
	pos->generation = b[cur].generation;
	pos->sequence = b[cur].sequence;
	pos->crc = b[cur].crc;
	pos->end = at;
out:
	free(b[0].buf);
	free(b[1].buf);
	return (error);
}

int
journal_read(int fd, uint64_t off0, uint64_t half_bytes, struct journal_pos *ret_pos,
    const struct journal_visit *v)
{
	struct batch b[2] = {0};
	bool have[2] = {false, false};
	int error = 0;
	unsigned half;

	for (unsigned h = 0; h < 2 && error == 0; h++) {
		error = read_batch(fd, off0 + h * half_bytes, half_bytes, &b[h]);
		have[h] = error == 0 && (b[h].flags & F_SNAPSHOT) != 0;
		if (error == -ENOENT)
			error = 0;
	}
	half = have[1] && (!have[0] || b[1].generation > b[0].generation) ? 1 : 0;
	if (error == 0 && !have[half])
		error = -ENOENT;
	if (error == 0) {
		memset(ret_pos, 0, sizeof(*ret_pos));
		ret_pos->half = half;
		arc4random_buf(&ret_pos->writer, sizeof(ret_pos->writer));
		/* A later half whose snapshot is damaged; one that was not finished has nothing behind it. */
		if (!have[!half])
			error = look_behind(fd, off0 + !half * half_bytes, JOURNAL_SECTOR,
			    half_bytes, b[half].generation + 1, b[half].sequence);
		if (is_forgiven(error, v))
			error = 0;
	}
	if (error == 0) {
		error = read_half(fd, off0 + half * half_bytes, half_bytes, ret_pos, v);
	}
	free(b[0].buf);
	free(b[1].buf);
	return (error);
}
