/* SPDX-License-Identifier: ISC */
/*
 * test_hit.c -- what the frontend does alone, and when it does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "common/blockmath.h"
#include "frontend/reply.h"
#include "tests/unit/frontend/fixture.h"

#define BS  65536u
#define SUB 4096u

static struct fixture f;
static struct lane l;
static char buf[BS];

static struct block_span
span(uint64_t block, uint32_t off, uint32_t len)
{
	return ((struct block_span){block, off, len});
}

static void
set_up(void)
{
	fixture_open(&f, 1000, BS, 32, 64);
	lane_init(&l, &f.v, 1);
}

static int
read_at(uint64_t block, uint32_t off, uint32_t len)
{
	struct block_span sp = span(block, off, len);

	return (hit_read(&l, &sp));
}

static int
write_at(uint64_t block, uint32_t off, uint32_t len, bool granted)
{
	struct block_span sp = span(block, off, len);

	return (hit_write(&l, &sp, buf, granted));
}

static int
next_type(void)
{
	struct ipc_msg m;

	return (ipc_ring_pop(&f.in, &m) == 0 ? m.type : IPC_NONE);
}

static void
test_read(void)
{
	set_up();
	is_int(read_at(5, 0, BS), MISS, "nothing known: ask");
	zero_set(&f.v.table, 5, ZERO_ABSENT);
	is_int(read_at(5, 0, BS), HIT_ZERO, "known to be absent: zeros");
	ok(l.niov == 1 && l.iov[0].iov_len == BS && l.held == 0, "without a slot");
	ok(mem_is_zero(l.iov[0].iov_base, BS), "and they are zeros");
	lane_release(&l);

	fixture_link(&f, 3, 5, 0, SLOT_LIVE);
	is_int(read_at(5, 0, SUB), MISS, "a slot without a valid part: ask, whatever the map says");
	fixture_poke(&f, 3, SUB, 'x', SUB);
	slot_valid_set(&f.v.table, 3, 1, 1);
	is_int(read_at(5, SUB + 7, 100), HIT, "a valid part: hit");
	ok(l.niov == 1 && l.iov[0].iov_len == 100 && *(char *)l.iov[0].iov_base == 'x',
	    "straight from the cache");
	ok(hazard_named(&f.v.table, 3, false) && !hazard_named(&f.v.table, 3, true),
	    "the slot is named for reading");
	lane_release(&l);
	ok(!hazard_named(&f.v.table, 3, false), "until the reply has gone");
	is_int(read_at(5, SUB, SUB + 1), MISS, "one byte more than is valid: ask");
	ok(!hazard_named(&f.v.table, 3, false), "and a miss leaves no name");
	fixture_head(&f, 3, 0, SLOT_FILLING);
	is_int(read_at(5, SUB, SUB), HIT, "being filled: what is valid may be read");
	lane_release(&l);
	fixture_head(&f, 3, 0, SLOT_FROZEN);
	is_int(read_at(5, SUB, SUB), HIT, "frozen: too");
	lane_release(&l);
	fixture_head(&f, 3, 0, SLOT_OLD);
	is_int(read_at(5, SUB, SUB), HIT_ZERO, "given up: what the map says");
	lane_release(&l);
	fixture_close(&f);
}

static void
test_read_parts(void)
{
	struct block_span sp = span(9, 100, BS - 300);
	char out[BS];

	set_up();
	fixture_link(&f, 0, 9, SLOT_F_ZBASE, SLOT_LIVE);
	fixture_poke(&f, 0, 0, 'g', BS); /* garbage, where nothing is valid */
	for (uint32_t i = 2; i < 16; i += 5)
		slot_valid_set(&f.v.table, 0, i, i);
	is_int(hit_copy(&l, &sp, out), HIT, "a slot on zeros, partly valid: hit");
	ok(l.held == 0 && l.niov == 0 && !hazard_named(&f.v.table, 0, false), "and let go");
	{
		int good = 1;

		for (uint32_t i = 0; i < sp.len; i++) {
			uint32_t sub = (i + sp.off) / SUB;

			good &= out[i] == (sub % 5 == 2 ? 'g' : 0);
		}
		ok(good, "valid parts are the slot's bytes, the others zeros");
	}
	for (uint32_t s = 1; s < 20; s++) {
		fixture_link(&f, s, 100 + s, 0, SLOT_LIVE);
		slot_valid_set(&f.v.table, s, 0, 15);
	}
	for (uint32_t s = 1; s <= IPC_HAZ_PER_LINE; s++)
		if (read_at(100 + s, 0, 512) != HIT)
			break;
	is_int(l.held, IPC_HAZ_PER_LINE, "a thread holds as many slots as its line has room for");
	is_int(read_at(118, 0, 512), -ENOBUFS, "and not one more");
	lane_release(&l);
	fixture_close(&f);
}

static void
test_marks(void)
{
	struct ipc_slot *s;

	set_up();
	s = &f.v.table.slot[4];
	fixture_link(&f, 4, 44, SLOT_F_MARK, SLOT_LIVE);
	slot_valid_set(&f.v.table, 4, 0, 15);
	for (unsigned i = 0; i < 10; i++) {
		(void)read_at(44, 0, 512);
		lane_release(&l);
	}
	ok(next_type() == IPC_AHEAD && next_type() == IPC_NONE, "a mark is passed on once");
	is_int(atomic_load(&s->touch), 1, "ten hits at one time count once");
	for (unsigned i = 0; i < 10; i++) {
		reply_began_us += 300000;
		lane_release(&l);
		(void)read_at(44, 0, 512);
	}
	is_int(atomic_load(&s->touch), 3, "and hits at ten times three times");
	lane_release(&l);
	atomic_store(&s->seen, 3);
	(void)read_at(44, 0, 512);
	is_int(atomic_load(&s->touch), 4, "and on at once, when eviction has seen them");
	ipc_bell_clear(f.cm_bell, -1);
	fixture_head(&f, 4, SLOT_F_WANT, SLOT_OLD);
	lane_release(&l);
	is_int(atomic_load(&f.cm_bell->rung), 1, "cachemgr is rung when it waits for the slot");
	fixture_close(&f);
}

static void
test_write(void)
{
	struct ipc_slot *s;
	struct ipc_msg m;

	set_up();
	memset(buf, 'w', sizeof(buf));
	s = &f.v.table.slot[1];
	is_int(write_at(7, 0, 512, false), MISS, "no slot: ask");
	fixture_link(&f, 1, 7, 0, SLOT_LIVE);
	is_int(write_at(7, 0, 512, false), MISS, "part of a part that is not valid: ask");
	is_int(atomic_load(&s->wseq), 0, "and nothing was changed");
	is_int(write_at(7, SUB, 2 * SUB, false), HIT, "whole parts that are not valid: hit");
	ok(slot_valid_all(&f.v.table, 1, 1, 2) && !slot_valid_any(&f.v.table, 1, 3, 15) &&
		!slot_valid_test(&f.v.table, 1, 0),
	    "these have become valid, no others");
	is_int(fixture_count(&f, 1, SUB, 'w', 2 * SUB), 2 * SUB, "and hold the bytes");
	ok(slot_dirty(s) && ipc_ring_pop(&f.in, &m) == 0 && m.type == IPC_DIRTY && m.slot == 1 &&
		m.block == 7 && m.slot_gen == head_gen(atomic_load(&s->head)),
	    "clean to dirty is announced");
	is_int(write_at(7, SUB + 1, 3, false), HIT, "part of a valid part: hit");
	is_int(next_type(), IPC_NONE, "dirty already: not announced again");
	is_int(atomic_load(&s->wseq), 2, "but counted");
	atomic_store(&s->cseq, 2);
	atomic_store(&f.env.state->dirty_full, 1);
	is_int(write_at(7, SUB, 1, false), MISS, "clean, and no more may be dirty: ask");
	is_int(write_at(7, SUB, 1, true), HIT, "granted: hit");
	is_int(write_at(7, SUB, 1, false), HIT, "dirty already: hit");
	atomic_store(&f.env.state->dirty_full, 0);
	fixture_head(&f, 1, 0, SLOT_FROZEN);
	is_int(write_at(7, SUB, 1, true), MISS, "frozen: ask");
	fixture_head(&f, 1, 0, SLOT_FILLING);
	is_int(write_at(7, SUB, 1, true), MISS, "being filled: ask");
	ok(!hazard_named(&f.v.table, 1, false), "no name is left behind");
	fixture_close(&f);
}

/* All of it is valid, and the map does not say so. */
static void
test_whole(void)
{
	struct slot_table *t = &f.v.table;

	set_up();
	memset(buf, 'w', sizeof(buf));
	fixture_link(&f, 6, 66, SLOT_F_WHOLE, SLOT_LIVE);
	fixture_poke(&f, 6, 0, 'x', BS);
	is_int(read_at(66, 0, BS), HIT, "a whole slot: hit");
	ok(l.niov == 1 && l.iov[0].iov_len == BS, "in one piece");
	lane_release(&l);
	is_int(write_at(66, SUB + 1, 3, false), HIT, "part of a part: hit");
	is_int(fixture_count(&f, 6, 0, 'x', BS), BS - 3, "around it nothing was changed");
	is_int(write_at(66, 0, BS, false), HIT, "all of it: hit");
	is_int(atomic_load(&t->map[6 * t->map_words]), 0, "the map was left alone");
	fixture_head(&f, 6, 0, SLOT_FROZEN);
	is_int(read_at(66, 5, 5), HIT, "frozen: hit");
	lane_release(&l);
	fixture_close(&f);
}

static void
test_fill(void)
{
	struct block_span sp = span(8, 100, 8000), zeros = span(8, 3 * SUB, 8 * SUB);
	struct ipc_slot *s;

	set_up();
	memset(buf, 'w', sizeof(buf));
	s = &f.v.table.slot[2];
	fixture_link(&f, 2, 8, SLOT_F_ZBASE, SLOT_LIVE);
	fixture_poke(&f, 2, 0, 'g', BS);
	is_int(hit_write(&l, &sp, buf, false), HIT, "part of a part, on zeros: hit");
	ok(slot_valid_all(&f.v.table, 2, 0, 1) && !slot_valid_any(&f.v.table, 2, 2, 15),
	    "whole parts are valid now");
	ok(fixture_count(&f, 2, 0, 0, 100) == 100 && fixture_count(&f, 2, 100, 'w', 8000) == 8000 &&
		fixture_count(&f, 2, 8100, 0, 92) == 92,
	    "zeros, the bytes, zeros");
	ok(fixture_count(&f, 2, 8192, 'g', 100) == 100, "nothing behind was touched");
	is_int(hit_write(&l, &sp, NULL, false), HIT, "zeros over it");
	is_int(fixture_count(&f, 2, 0, 0, 8192), 8192, "are zeros");
	is_int(atomic_load(&s->wseq), 2, "and a write");
	is_int(hit_write(&l, &zeros, NULL, false), HIT, "zeros where nothing is valid");
	ok(atomic_load(&s->wseq) == 2 && !slot_valid_any(&f.v.table, 2, 3, 10), "cost nothing");
	fixture_close(&f);
}

/* A cache that cannot be written: dirty, but nothing in it may have become valid. */
static void
test_broken_cache(void)
{
	struct ipc_slot *s;
	int good_fd;

	set_up();
	s = &f.v.table.slot[1];
	fixture_link(&f, 1, 7, SLOT_F_ZBASE, SLOT_LIVE);
	good_fd = f.v.cache_fd;
	f.v.cache_fd = open("/dev/full", O_WRONLY);
	is_int(write_at(7, 0, SUB, false), -ENOSPC, "a full disk under the cache is an error");
	ok(slot_dirty(s) && !slot_valid_any(&f.v.table, 1, 0, 15),
	    "the slot is dirty, no part of it valid");
	is_int(next_type(), IPC_DIRTY, "and cachemgr knows");
	ok(!hazard_named(&f.v.table, 1, false), "the slot is let go");
	close(f.v.cache_fd);
	f.v.cache_fd = good_fd;
	is_int(read_at(7, 0, SUB), HIT, "a read of it");
	ok(mem_is_zero(l.iov[0].iov_base, SUB), "sees what was there before");
	lane_release(&l);
	fixture_close(&f);
}

/* ---- two threads fill the same parts --------------------------------------------------- */
#define ROUNDS 400

static pthread_barrier_t bar;

static void *
half_writer(void *arg)
{
	unsigned half = (unsigned)(uintptr_t)arg;
	static char bytes[2][SUB];
	struct lane mine;

	memset(bytes[half], 'a' + (int)half, SUB);
	lane_init(&mine, &f.v, 2 + half);
	for (unsigned n = 0; n < ROUNDS; n++) {
		(void)pthread_barrier_wait(&bar);
		for (uint32_t sub = 0; sub < BS / SUB; sub++) {
			/* Thirds: the first of one, the second of the other, the last of nobody. */
			struct block_span sp = span(8, sub * SUB + half * 1300, 1300);

			if (hit_write(&mine, &sp, bytes[half], false) != HIT)
				abort();
		}
		(void)pthread_barrier_wait(&bar);
	}
	return (NULL);
}

static void
test_fill_race(void)
{
	pthread_t th[2];
	int good = 1;

	fixture_open(&f, 1000, BS, 32, 4096);
	fixture_link(&f, 2, 8, SLOT_F_ZBASE, SLOT_LIVE);
	(void)pthread_barrier_init(&bar, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&th[i], NULL, half_writer, (void *)i) != 0)
			abort();
	for (unsigned n = 0; n < ROUNDS; n++) {
		fixture_poke(&f, 2, 0, 'g', BS);
		slot_valid_clear(&f.v.table, 2);
		(void)pthread_barrier_wait(&bar);
		(void)pthread_barrier_wait(&bar);
		for (uint32_t at = 0; at < BS; at += SUB)
			good &= fixture_count(&f, 2, at, 'a', 1300) == 1300 &&
				fixture_count(&f, 2, at + 1300, 'b', 1300) == 1300 &&
				fixture_count(&f, 2, at + 2600, 0, SUB - 2600) == SUB - 2600;
	}
	for (unsigned i = 0; i < 2; i++)
		(void)pthread_join(th[i], NULL);
	ok(good, "two writers of one part on zeros: neither zeroes the other's bytes");
	fixture_close(&f);
}

static void
test_seek(void)
{
	uint64_t to = 0;

	set_up();
	for (uint64_t b = 0; b < 1000; b++)
		zero_set(&f.v.table, b, ZERO_ABSENT);
	is_int(volume_seek(&f.v, 0, SEEK_DATA, &to), -ENXIO, "no data on an absent disk");
	ok(volume_seek(&f.v, 5, SEEK_HOLE, &to) == 0 && to == 5, "all of it is a hole");
	zero_set(&f.v.table, 3, ZERO_UNKNOWN);
	ok(volume_seek(&f.v, 0, SEEK_DATA, &to) == 0 && to == 3 * BS, "the unknown is data");
	fixture_link(&f, 0, 1, SLOT_F_ZBASE, SLOT_LIVE);
	ok(volume_seek(&f.v, 0, SEEK_DATA, &to) == 0 && to == 3 * BS, "a slot of zeros is a hole");
	slot_valid_set(&f.v.table, 0, 4, 4);
	ok(volume_seek(&f.v, 0, SEEK_DATA, &to) == 0 && to == BS, "with a valid part it is not");
	ok(volume_seek(&f.v, BS + 9, SEEK_DATA, &to) == 0 && to == BS + 9, "within data: stays");
	ok(volume_seek(&f.v, BS, SEEK_HOLE, &to) == 0 && to == 2 * BS, "the hole behind it");
	is_int(volume_seek(&f.v, f.v.size, SEEK_HOLE, &to), -ENXIO, "behind the end: nothing");
	fixture_close(&f);
}

int
main(void)
{
	test_read();
	test_read_parts();
	test_marks();
	test_write();
	test_whole();
	test_fill();
	test_broken_cache();
	test_fill_race();
	test_seek();
	return (tap_done());
}
