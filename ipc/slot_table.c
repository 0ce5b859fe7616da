/* SPDX-License-Identifier: ISC */
#include "ipc/slot_table.h"

#include "ipc/shm.h"
#include "ipc/state.h"

void
slot_table_attach(struct slot_table *t, const struct shm *s)
{
	_Atomic uint32_t *area = shm_area(s, SHM_BUCKETS);

	t->shm = s;
	t->slot = shm_area(s, SHM_SLOTS);
	t->map = shm_area(s, SHM_VALID);
	t->gen = area; /* the first line of the area is table_gen alone */
	t->bucket = area + IPC_LINE / sizeof(*area);
	t->hazard = shm_area(s, SHM_HAZARDS);
	t->zero = shm_area(s, SHM_ZEROMAP);
	t->surveyed = &shm_state(s)->survey_next;
	t->bucket_mask = s->geo.nbuckets - 1;
	t->nsub = s->nsub;
	t->map_words = shm_map_words(s->nsub);
}

uint32_t
slot_table_find(const struct slot_table *t, uint32_t block, bool *ret_sure)
{
	uint32_t gen = atomic_load_explicit(t->gen, memory_order_acquire);
	uint32_t i, steps = 0;

	i = atomic_load_explicit(&t->bucket[slot_table_hash(t, block)], memory_order_acquire);
	/* A chain that is being changed may lead anywhere, even round in circles: bound the walk.
	 */
	while (i != 0 && i <= t->shm->geo.nslots && steps++ < 4096) {
		const struct ipc_slot *s = &t->slot[i - 1];
		uint64_t h = atomic_load_explicit(&s->head, memory_order_acquire);

		if (head_block(h) == block && head_linked(h)) {
			*ret_sure = true;
			return (i - 1);
		}
		i = atomic_load_explicit(&s->next, memory_order_acquire);
	}
	/* Fence: the loads above may not sink below the second look at the generation (H7). */
	atomic_thread_fence(memory_order_acquire);
	*ret_sure = i == 0 && (gen & TABLE_REBUILDING) == 0 &&
		    atomic_load_explicit(t->gen, memory_order_relaxed) == gen;
	return (IPC_NO_SLOT);
}

void
zero_set(struct slot_table *t, uint64_t block, enum zero_state z)
{
	_Atomic uint64_t *w = &t->zero[block >> 5];
	unsigned shift = (block & 31) * 2;
	uint64_t v = atomic_load_explicit(w, memory_order_relaxed);

	/* cachemgr is the only writer, so load and store need not be one step. */
	v = (v & ~(UINT64_C(3) << shift)) | (uint64_t)z << shift;
	atomic_store_explicit(w, v, memory_order_release);
}

/* The bits first..last that fall into word w. */
static uint64_t
range_mask(uint32_t w, uint32_t first, uint32_t last)
{
	uint64_t m = ~UINT64_C(0);

	if (first > w * 64)
		m &= ~UINT64_C(0) << (first & 63);
	if (last < w * 64 + 63)
		m &= ~UINT64_C(0) >> (63 - (last & 63));
	return (m);
}

static inline _Atomic uint64_t *
map_of(const struct slot_table *t, uint32_t slot)
{
	return (&t->map[(size_t)slot * t->map_words]);
}

/* Acquire: seeing WHOLE implies seeing the bytes, and seeing MAP that the map was cleared. */
static inline uint8_t
flags_of(const struct slot_table *t, uint32_t slot)
{
	return (head_flags(atomic_load_explicit(&t->slot[slot].head, memory_order_acquire)));
}

bool
slot_valid_all(const struct slot_table *t, uint32_t slot, uint32_t first, uint32_t last)
{
	const _Atomic uint64_t *map = map_of(t, slot);
	uint8_t flags = flags_of(t, slot);

	if ((flags & (SLOT_F_WHOLE | SLOT_F_MAP)) != SLOT_F_MAP)
		return ((flags & SLOT_F_WHOLE) != 0);
	for (uint32_t w = first >> 6; w <= last >> 6; w++) {
		uint64_t m = range_mask(w, first, last);

		/* Acquire: seeing the bit implies seeing the bytes it stands for. */
		if ((atomic_load_explicit(&map[w], memory_order_acquire) & m) != m)
			return (false);
	}
	return (true);
}

bool
slot_valid_any(const struct slot_table *t, uint32_t slot, uint32_t first, uint32_t last)
{
	const _Atomic uint64_t *map = map_of(t, slot);
	uint8_t flags = flags_of(t, slot);

	if ((flags & (SLOT_F_WHOLE | SLOT_F_MAP)) != SLOT_F_MAP)
		return ((flags & SLOT_F_WHOLE) != 0);
	for (uint32_t w = first >> 6; w <= last >> 6; w++)
		if ((atomic_load_explicit(&map[w], memory_order_acquire) &
			range_mask(w, first, last)) != 0)
			return (true);
	return (false);
}

void
slot_valid_read(const struct slot_table *t, uint32_t slot, uint64_t ret_map[IPC_SUB_MAX / 64])
{
	const _Atomic uint64_t *map = map_of(t, slot);
	uint8_t flags = flags_of(t, slot);

	for (uint32_t w = 0; w < IPC_SUB_MAX / 64; w++) {
		if (w >= t->map_words || (flags & (SLOT_F_WHOLE | SLOT_F_MAP)) == 0)
			ret_map[w] = 0;
		else if ((flags & SLOT_F_WHOLE) != 0)
			ret_map[w] = range_mask(w, 0, t->nsub - 1);
		else
			ret_map[w] = atomic_load_explicit(&map[w], memory_order_acquire);
	}
}

void
slot_valid_set(const struct slot_table *t, uint32_t slot, uint32_t first, uint32_t last)
{
	_Atomic uint64_t *map = map_of(t, slot);

	if ((flags_of(t, slot) & SLOT_F_WHOLE) != 0)
		return;
	for (uint32_t w = first >> 6; w <= last >> 6; w++) {
		uint64_t m = range_mask(w, first, last);

		/* Spare the locked instruction, and the line, when nothing would change. */
		if ((atomic_load_explicit(&map[w], memory_order_relaxed) & m) != m)
			(void)atomic_fetch_or_explicit(&map[w], m, memory_order_release);
	}
}

void
slot_valid_clear(const struct slot_table *t, uint32_t slot)
{
	_Atomic uint64_t *map = map_of(t, slot);

	for (uint32_t w = 0; w < t->map_words; w++)
		atomic_store_explicit(&map[w], 0, memory_order_relaxed);
}

bool
hazard_named(const struct slot_table *t, uint32_t slot, bool write_only)
{
	for (unsigned l = 0; l < IPC_HAZ_LINES; l++) {
		for (unsigned i = 0; i < IPC_HAZ_PER_LINE; i++) {
			uint32_t v = atomic_load(&t->hazard[l].slot[i]);

			if ((v & ~HAZ_WRITE) == slot + 1 && (!write_only || (v & HAZ_WRITE) != 0))
				return (true);
		}
	}
	return (false);
}

void
hazard_clear_all(struct slot_table *t)
{
	for (unsigned l = 0; l < IPC_HAZ_LINES; l++)
		for (unsigned i = 0; i < IPC_HAZ_PER_LINE; i++)
			atomic_store(&t->hazard[l].slot[i], 0);
}
