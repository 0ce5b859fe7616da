/* SPDX-License-Identifier: ISC */
/*
 * test_journal.c -- batches on a real file: order, halves, torn and damaged ones, payload.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cachemgr/journal.h"
#include "tests/unit/tap.h"

#define HALF 8192u

struct seen {
	unsigned resets, slots, frees, zeros, datas, data_bytes;
	uint32_t last_block;
	uint64_t last_seq;
	uint8_t first_byte;
	uint64_t data_seq;
};

static void
on_reset(void *ctx)
{
	struct seen *s = ctx;

	memset(s, 0, sizeof(*s));
	s->resets = 1;
}

static void
on_settled(void *ctx, uint64_t sequence)
{
	struct seen *s = ctx;

	if (s->data_seq <= sequence)
		s->datas = 0;
}

static int
on_rec(void *ctx, const struct journal_rec *r, uint64_t seq)
{
	struct seen *s = ctx;

	s->last_seq = seq;
	s->slots += r->kind == JREC_SLOT;
	s->frees += r->kind == JREC_FREE;
	s->zeros += r->kind == JREC_ZERO;
	if (r->kind == JREC_SLOT)
		s->last_block = r->block;
	if (r->kind == JREC_DATA) {
		s->datas++;
		s->data_seq = seq;
		s->data_bytes += r->count;
		s->first_byte = r->data[0];
	}
	return (0);
}

static struct journal_batch batch;
static uint32_t last_crc; /* of the batch sealed last: the next one follows it */
static uint64_t writer;

static void
begin_with(bool snapshot, uint32_t block)
{
	struct journal_rec r = {.kind = JREC_SLOT, .slot = block % 7, .block = block, .valid = {5}};

	journal_begin(&batch, snapshot);
	journal_add(&batch, &r);
}

static uint64_t settled;
static uint32_t align = JOURNAL_SECTOR;

/* Seal and write at `at` of half `half`; returns the length. */
static size_t
put(int fd, unsigned half, uint64_t at, uint64_t gen, uint64_t seq)
{
	struct journal_pos pos = {.generation = gen - (batch.snapshot ? 1 : 0),
	    .sequence = seq - 1,
	    .crc = last_crc,
	    .writer = writer};

	if (journal_seal(&batch, &pos, settled, align, &last_crc) < 0 ||
	    pwrite(fd, batch.buf, batch.len, (off_t)(half * HALF + at)) != (ssize_t)batch.len)
		return (0);
	return (batch.len);
}

static bool damage_is_end;

static int
read_all(int fd, struct seen *s, struct journal_pos *pos)
{
	struct journal_visit v = {.damage_is_end = damage_is_end,
	    .ctx = s,
	    .reset = on_reset,
	    .settled = on_settled,
	    .rec = on_rec};

	memset(s, 0, sizeof(*s));
	return (journal_read(fd, 0, HALF, pos, &v));
}

static void
flip(int fd, off_t at)
{
	uint8_t b = 0;

	(void)!pread(fd, &b, 1, at);
	b ^= 0x40;
	(void)!pwrite(fd, &b, 1, at);
}

static void
test_order(int fd)
{
	struct journal_pos pos;
	struct seen s;
	uint64_t at;
	uint8_t *p;

	is_int(read_all(fd, &s, &pos), -ENOENT, "an empty file holds no journal");
	begin_with(true, 1);
	at = put(fd, 0, 0, 1, 1);
	is_int(at % JOURNAL_SECTOR, 0, "a batch is whole sectors");
	begin_with(false, 2);
	p = journal_add_data(&batch, 2, 4096, 700);
	memset(p, 0xab, 700);
	at += put(fd, 0, at, 1, 2);
	is_int(read_all(fd, &s, &pos), 0, "two batches are read");
	is_int(s.slots, 2, "both their records are seen");
	is_int(s.datas, 1, "payload of the last batch is seen");
	is_int(s.data_bytes, 700, "all of it");
	is_int(s.first_byte, 0xab, "and it is what was put in");
	ok(pos.data_sequence > pos.settled && pos.end == at && pos.sequence == 2,
	    "the position is behind it");
	begin_with(false, 3);
	at += put(fd, 0, at, 1, 3);
	is_int(read_all(fd, &s, &pos), 0, "a third batch is read");
	is_int(s.datas, 1, "payload counts until a batch says that it is settled");
	ok(pos.data_sequence > pos.settled, "and the position knows");
	begin_with(false, 4);
	settled = 2;
	align = 4096;
	is_int(put(fd, 0, at, 1, 4), 4096, "a batch can be as long as O_DIRECT wants it");
	align = JOURNAL_SECTOR;
	settled = 0;
	is_int((intptr_t)batch.buf % 4096, 0, "and lies as it wants it");
	is_int(read_all(fd, &s, &pos), 0, "a fourth batch is read");
	is_int(s.datas, 0, "then it does not");
	ok(pos.data_sequence <= pos.settled, "and the position knows that, too");
	is_int(s.last_block, 4, "records come in the order of their batches");
}

static void
test_damage(int fd)
{
	struct journal_pos pos;
	struct seen s;
	uint64_t one, two;
	uint32_t crc_two;

	begin_with(true, 1);
	one = put(fd, 0, 0, 5, 10);
	begin_with(false, 2);
	two = put(fd, 0, one, 5, 11);
	crc_two = last_crc;
	begin_with(false, 3);
	(void)put(fd, 0, one + two, 5, 12);
	flip(fd, (off_t)(one + 70));
	is_int(read_all(fd, &s, &pos), -EUCLEAN, "a damaged batch with others behind it: refused");
	damage_is_end = true;
	is_int(read_all(fd, &s, &pos), 0, "or, if that is wanted, the journal is read up to it");
	is_int(s.slots, 1, "neither the damaged batch nor what follows it counts");
	is_int(pos.sequence, 10, "the position is before it");
	damage_is_end = false;
	flip(fd, (off_t)(one + 70));
	begin_with(false, 3);
	last_crc = crc_two;
	(void)put(fd, 0, one + two, 4, 12);
	is_int(read_all(fd, &s, &pos), 0, "a stale batch of an earlier generation");
	is_int(s.slots, 2, "is not taken for the next one");
	begin_with(false, 3);
	last_crc = crc_two;
	(void)put(fd, 0, one + two, 5, 13);
	is_int(read_all(fd, &s, &pos), -EUCLEAN, "a gap in the sequence: something is lost");
	damage_is_end = true;
	is_int(read_all(fd, &s, &pos), 0, "read up to it, if that is wanted");
	is_int(s.slots, 2, "it ends the journal");
	damage_is_end = false;
}

/*
 * A power cut lost the second batch and kept the third; the next run writes a second one of its own.
 * The third fits behind it in every respect but that it followed another.
 */
static void
test_stale(int fd)
{
	struct journal_pos pos;
	struct seen s;
	uint32_t crc_one;
	uint64_t one, two;

	begin_with(true, 1);
	one = put(fd, 0, 0, 6, 30);
	crc_one = last_crc;
	begin_with(false, 2);
	two = put(fd, 0, one, 6, 31);
	begin_with(false, 3);
	(void)put(fd, 0, one + two, 6, 32);
	last_crc = crc_one;
	writer++;
	begin_with(false, 2); /* the same but for its writer */
	damage_is_end = true; /* such a disk loses what was synced: that would be refused */
	ok(put(fd, 0, one, 6, 31) == two && read_all(fd, &s, &pos) == 0,
	    "a batch of another run in the place of a lost one");
	is_int(s.slots, 2, "is not followed by what followed the lost one");
	ok(pos.sequence == 31 && pos.end == one + two, "the position is before that");
	damage_is_end = false;
	is_int(read_all(fd, &s, &pos), -EUCLEAN, "and all of it is refused, unless it is wanted");
}

static void
test_halves(int fd)
{
	struct journal_pos pos;
	struct seen s;

	begin_with(true, 1);
	(void)put(fd, 0, 0, 7, 20);
	begin_with(true, 9);
	(void)put(fd, 1, 0, 8, 21);
	is_int(read_all(fd, &s, &pos), 0, "two halves");
	ok(pos.half == 1 && s.last_block == 9, "the one of the higher generation is in force");
	flip(fd, HALF + 80);
	is_int(read_all(fd, &s, &pos), 0, "whose snapshot is torn");
	ok(pos.half == 0 && s.last_block == 1, "does not count, the other one does");
	begin_with(false, 9);
	(void)put(fd, 1, 0, 8, 21);
	is_int(read_all(fd, &s, &pos), 0, "a half that does not begin with a snapshot");
	ok(pos.half == 0, "is not in force");
}

int
main(void)
{
	int fd = memfd_create("journal", 0);

	if (fd < 0 || ftruncate(fd, 2 * HALF) < 0)
		return (1);
	test_order(fd);
	test_damage(fd);
	test_stale(fd);
	test_halves(fd);
	journal_batch_free(&batch);
	ok(crc32_of(0, "abc", 3) != crc32_of(1, "abc", 3), "the seed is part of the sum");
	close(fd);
	return (tap_done());
}
