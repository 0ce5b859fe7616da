/* SPDX-License-Identifier: ISC */
/*
 * test_valid.c -- what of a slot is valid: the map against a plain array, and what the head says instead
 * of it (H9).
 */
#include <stdlib.h>
#include <string.h>

#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "tests/unit/tap.h"

#define NSLOTS 64

static struct shm shm;
static struct slot_table t;

static void
set_up(uint32_t block_size)
{
	struct shm_geometry g;

	if (shm_plan(&g, 1000, block_size, NSLOTS, 1, 16) < 0 || shm_create(&g, &shm) < 0)
		abort();
	slot_table_attach(&t, &shm);
}

static void
set_head(uint32_t slot, uint8_t flags, uint8_t state)
{
	atomic_store(&t.slot[slot].head, slot_head(500 + slot, 1, flags, state));
}

static void
test_valid(void)
{
	static bool model[IPC_SUB_MAX];
	int good = 1;

	set_up(1 << 20);
	set_head(3, SLOT_F_MAP, SLOT_LIVE);
	srandom(1);
	for (unsigned n = 0; n < 20000 && good; n++) {
		uint32_t a = (uint32_t)random() % IPC_SUB_MAX, b = (uint32_t)random() % IPC_SUB_MAX;
		bool all = true, any = false;

		if (a > b) {
			uint32_t c = a;

			a = b;
			b = c;
		}
		if (n % 50 == 0) {
			slot_valid_clear(&t, 3);
			memset(model, 0, sizeof(model));
		}
		if (n % 3 == 0) {
			b = a + (b - a) / 8;
			slot_valid_set(&t, 3, a, b);
			memset(model + a, 1, b - a + 1);
		}
		for (uint32_t i = a; i <= b; i++) {
			all &= model[i];
			any |= model[i];
		}
		good &= slot_valid_all(&t, 3, a, b) == all && slot_valid_any(&t, 3, a, b) == any &&
			slot_valid_test(&t, 3, a) == model[a];
	}
	ok(good, "valid map: set, clear, all, any, test agree with an array");
	shm_detach(&shm);
}

/* H9, for slots of one sub-block, of a few, and of all that fit. */
static void
test_whole(uint32_t block_size)
{
	uint64_t map[IPC_SUB_MAX / 64];
	uint32_t last, words, bits = 0;

	set_up(block_size);
	last = t.nsub - 1;
	words = t.map_words;
	ok(words == (t.nsub + 63) / 64 &&
		shm.off[SHM_VALID + 1] - shm.off[SHM_VALID] >= NSLOTS * words * sizeof(uint64_t),
	    "%u sub-blocks: %u words of map per slot", t.nsub, words);
	for (uint32_t w = 0; w < words; w++)
		atomic_store(&t.map[3 * words + w], UINT64_MAX);
	set_head(3, 0, SLOT_FILLING);
	slot_valid_read(&t, 3, map);
	ok(!slot_valid_any(&t, 3, 0, last) && !slot_valid_test(&t, 3, 0) &&
		(map[0] | map[1] | map[2] | map[3]) == 0,
	    "neither flag: nothing is valid, whatever lies in the map");
	slot_valid_clear(&t, 3);
	set_head(3, SLOT_F_MAP, SLOT_LIVE);
	ok(!slot_valid_any(&t, 3, 0, last), "MAP: what the map says, nothing");
	slot_valid_set(&t, 3, last, last);
	slot_valid_read(&t, 3, map);
	ok(slot_valid_all(&t, 3, last, last) && slot_valid_all(&t, 3, 0, last) == (last == 0) &&
		map[last >> 6] == UINT64_C(1) << (last & 63),
	    "or the last one");
	set_head(3, SLOT_F_WHOLE | SLOT_F_MAP, SLOT_LIVE);
	slot_valid_read(&t, 3, map);
	for (unsigned w = 0; w < IPC_SUB_MAX / 64; w++)
		bits += (uint32_t)__builtin_popcountll(map[w]);
	ok(slot_valid_all(&t, 3, 0, last) && slot_valid_any(&t, 3, 0, 0), "WHOLE: everything");
	is_int(bits, t.nsub, "that many bits");
	set_head(4, SLOT_F_WHOLE, SLOT_LIVE);
	slot_valid_set(&t, 4, 0, last);
	bits = 0;
	for (uint32_t w = 0; w < words; w++)
		bits += atomic_load(&t.map[4 * words + w]) != 0;
	is_int(bits, 0, "a writer leaves the map of a whole slot alone");
	shm_detach(&shm);
}

int
main(void)
{
	test_valid();
	test_whole(4096);
	test_whole(65536);
	test_whole(1 << 20);
	return (tap_done());
}
