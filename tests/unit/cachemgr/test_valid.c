/* SPDX-License-Identifier: ISC */
/*
 * test_valid.c -- where it is written what of a slot is valid (H8, H9): set by downloads and writers, found
 * again by a successor, forgotten when the slot gets another block.
 */
#include "tests/unit/cachemgr/sim.h"

#define FLAGS (SLOT_F_MAP | SLOT_F_WHOLE)

static void
begin(void)
{
	sim_faults = false;
	wrong = 0;
	world_open(7);
	(void)settle();
}

static void
end(const char *what)
{
	ok(settle(), "%s: comes to rest", what);
	compare_bucket();
	is_int(wrong, 0, "%s: every read and object is as it should be", what);
	sim_close();
	sim_faults = true;
}

static void
turn(void)
{
	(void)cachemgr_turn(cm);
	up_take();
	up_answer();
	fe_replies();
	let_time_pass();
}

/* The operation is begun, and made up to `step`; with STEP_LOOK, to its end. */
static void
start(enum op_kind kind, uint32_t block, uint32_t sub, enum op_step step)
{
	struct op *o = &op[0];

	*o = (struct op){.kind = kind, .block = block, .sub = sub, .count = 1};
	if (kind == OP_WRITE) {
		busy[block]++;
		o->value = ++serial;
	}
	while (o->kind != OP_NONE && (step == STEP_LOOK || o->step != step)) {
		if (o->step == STEP_WAIT)
			turn();
		fe_step(o);
	}
}

static void
access_sub(enum op_kind kind, uint32_t block, uint32_t sub)
{
	start(kind, block, sub, STEP_LOOK);
}

static uint32_t
slot_of(uint32_t block)
{
	bool sure;

	return (slot_table_find(&tab, block, &sure));
}

static int
flags_of(uint32_t block)
{
	return (head_flags(atomic_load(&tab.slot[slot_of(block)].head)) & FLAGS);
}

static uint64_t
map_of(uint32_t block)
{
	return (atomic_load(&tab.map[slot_of(block) * tab.map_words]));
}

static uint64_t
valid_of(uint32_t block)
{
	uint64_t v[IPC_SUB_MAX / 64];

	if (slot_of(block) == IPC_NO_SLOT)
		return (0);
	slot_valid_read(&tab, slot_of(block), v);
	return (v[0]);
}

static uint32_t
block_that(bool has_object, uint32_t from)
{
	while (exists[from] != has_object)
		from++;
	return (from);
}

static void
life(void)
{
	uint32_t there, empty;

	begin();
	there = block_that(true, 0);
	empty = block_that(false, 0);
	access_sub(OP_READ, there, 1);
	is_int(flags_of(there), SLOT_F_WHOLE, "downloaded: whole");
	is_int(map_of(there), 0, "and its map was not touched");
	access_sub(OP_WRITE, there, 2);
	is_int(map_of(there), 0, "nor by a writer");
	(void)settle();
	is_int(flags_of(there), SLOT_F_WHOLE, "uploaded: still whole");

	access_sub(OP_WRITE, empty, 2);
	is_int(flags_of(empty), SLOT_F_MAP, "written where nothing was: the map counts");
	is_int(valid_of(empty), 1 << 2, "and says what was written");
	(void)settle();
	is_int(flags_of(empty), SLOT_F_MAP, "uploaded, the rest being zero: the same");
	for (uint32_t sub = 0; sub < NSUB; sub++)
		access_sub(OP_WRITE, empty, sub);
	is_int(flags_of(empty), SLOT_F_MAP, "the last bits are the writer's");
	is_int(valid_of(empty), (1 << NSUB) - 1, "and enough");
	(void)settle();
	is_int(flags_of(empty), FLAGS, "uploaded: whole, says cachemgr");
	end("life");
}

static void
merged(void)
{
	uint32_t b;

	begin();
	b = block_that(true, 0);
	access_sub(OP_WRITE, b, 3);
	is_int(flags_of(b), SLOT_F_MAP, "written before it was read: the map counts");
	is_int(valid_of(b), 1 << 3, "for what was written");
	access_sub(OP_READ, b, 0);
	is_int(flags_of(b), FLAGS, "completed from the bucket: whole");
	end("merged");
}

/* A map that does not count may hold anything. */
static void
reuse(void)
{
	unsigned spoilt = 0, touched = 0;

	begin();
	for (unsigned n = 0; n < 20000; n++) {
		fe_step(&op[rnd(WRITERS)]);
		turn();
		for (uint32_t s = 0; n % 10 == 0 && s < SLOTS; s++) {
			uint64_t h = atomic_load(&tab.slot[s].head);

			if ((head_flags(h) & SLOT_F_MAP) != 0) {
				touched++;
				continue;
			}
			atomic_store(&tab.map[s * tab.map_words], UINT64_MAX);
			spoilt++;
		}
		if (n % 1000 == 999)
			kill_cachemgr();
	}
	ok(spoilt > 1000 && touched > 1000, "maps that count and maps that do not: %u, %u", touched,
	    spoilt);
	end("reuse");
}

static void
successor(void)
{
	uint64_t before[BLOCKS];
	unsigned same = 0, held_some = 0;

	begin();
	for (uint32_t b = 0; b < 6; b++)
		access_sub(b % 2 == 0 ? OP_READ : OP_WRITE, b, b % NSUB);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		before[b] = valid_of(b);
		held_some += before[b] != 0;
	}
	kill_cachemgr();
	for (uint32_t b = 0; b < BLOCKS; b++)
		same += valid_of(b) == before[b];
	ok(held_some >= 3, "some blocks have valid parts (%u)", held_some);
	is_int(same, BLOCKS, "a successor finds of every block what was valid");
	end("successor");
}

/* What a death between two stores leaves. */
static void
between(void)
{
	uint32_t a, b, slot;
	uint64_t h;

	begin();
	a = block_that(true, 0);
	b = block_that(true, a + 1);
	access_sub(OP_READ, a, 0);
	access_sub(OP_READ, b, 0);
	slot = slot_of(a);
	h = atomic_load(&tab.slot[slot].head);
	/* WHOLE was stored, LIVE not yet. */
	atomic_store(&tab.slot[slot].head,
	    slot_head(head_block(h), head_gen(h), head_flags(h), SLOT_FILLING));
	/* MAP was, in a slot that was being prepared, with half of the old bits cleared. */
	slot = slot_of(b);
	h = atomic_load(&tab.slot[slot].head);
	atomic_store(&tab.map[slot * tab.map_words], 0xc);
	atomic_store(
	    &tab.slot[slot].head, slot_head(head_block(h), head_gen(h) + 1, SLOT_F_MAP, SLOT_OLD));
	kill_cachemgr();
	(void)settle();
	is_int(slot_of(a), IPC_NO_SLOT, "whole, but not LIVE: given up");
	is_int(slot_of(b), IPC_NO_SLOT, "being prepared: too");
	access_sub(OP_READ, a, 3);
	access_sub(OP_READ, b, 3);
	ok(flags_of(a) == SLOT_F_WHOLE && flags_of(b) == SLOT_F_WHOLE, "and fetched again");
	end("between");
}

/* A writer has the slot, and cachemgr, about to evict it, dies before it sees that. */
static void
moved_under_writer(void)
{
	uint32_t b, slot;
	uint64_t h;

	begin();
	b = block_that(true, 0);
	access_sub(OP_READ, b, 0);
	slot = slot_of(b);
	start(OP_WRITE, b, 1, STEP_SEQ);
	h = atomic_load(&tab.slot[slot].head);
	atomic_store(
	    &tab.slot[slot].head, slot_head(head_block(h), head_gen(h), head_flags(h), SLOT_OLD));
	kill_cachemgr();
	is_int(slot_of(b), slot, "clean, not linked, and named by a writer: still the block");
	is_int(flags_of(b), SLOT_F_WHOLE, "and as valid as it was");
	while (op[0].kind != OP_NONE)
		fe_step(&op[0]);
	end("moved under a writer");
}

int
main(void)
{
	life();
	merged();
	reuse();
	successor();
	between();
	moved_under_writer();
	return (tap_done());
}
