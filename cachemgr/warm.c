/* SPDX-License-Identifier: ISC */
#include "cachemgr/warm.h"

#include <endian.h>
#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/journal.h"
#include "common/cachelayout.h"
#include "common/check.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/inject.h"
#include "common/log.h"

#define ENTRY CACHE_SIDE_BYTES
#define NONE  UINT32_MAX

struct side { /* one entry, decoded */
	uint32_t block, crc;
	uint8_t etag[16];
	uint64_t valid[IPC_SUB_MAX / 64];
	uint8_t flags;
};

struct warm {
	uint32_t *slot_of; /* open-addressed by block: slot + 1 */
	uint32_t mask, n;
	uint32_t cursor;   /* warm_evict() goes round */
	struct side *side; /* per slot; only of those kept */
	uint8_t *state;	   /* per slot: KEPT, CONFIRMED */
};
enum {
	NOT_KEPT,
	KEPT,
	CONFIRMED
};

/* ---- entries ----------------------------------------------------------------------------- */

static void
side_encode(uint32_t slot, const struct side *s, uint8_t out[ENTRY])
{
	uint32_t w[2] = {htole32(s->block), htole32(s->crc)}, crc;

	memset(out, 0, ENTRY);
	memcpy(out, w, 8);
	memcpy(out + 8, s->etag, 16);
	for (unsigned i = 0; i < IPC_SUB_MAX / 64; i++) {
		uint64_t v = htole64(s->valid[i]);

		memcpy(out + 24 + i * 8, &v, 8);
	}
	out[56] = 1;
	out[57] = s->flags;
	crc = htole32(crc32_of(slot, out, 60));
	memcpy(out + 60, &crc, 4);
}

static bool
side_decode(uint32_t slot, const uint8_t in[ENTRY], struct side *s)
{
	uint32_t w[2], crc;

	memcpy(&crc, in + 60, 4);
	if (in[56] != 1 || (in[57] & ~SLOT_F_ZBASE) != 0 || le32toh(crc) != crc32_of(slot, in, 60))
		return (false);
	memcpy(w, in, 8);
	s->block = le32toh(w[0]);
	s->crc = le32toh(w[1]);
	memcpy(s->etag, in + 8, 16);
	for (unsigned i = 0; i < IPC_SUB_MAX / 64; i++) {
		uint64_t v;

		memcpy(&v, in + 24 + i * 8, 8);
		s->valid[i] = le64toh(v);
	}
	s->flags = in[57];
	return (true);
}

static void
write_entry(struct cachemgr *cm, uint32_t slot, const uint8_t entry[ENTRY])
{
	off_t at = (off_t)(cache_side_off(cm->shm->geo.nslots) + (uint64_t)slot * ENTRY);
	int error = 0;

	if (atomic_load(&cm->st->cache_broken) == 0)
		error = pwrite_full(cm->cache_fd, entry, ENTRY, at);
	/* An entry that stays although it was struck out would be believed after a restart. */
	if (error < 0) {
		log_err(error, "cannot write the side table of the cache file");
		commit_cache_fault(cm, error);
	}
}

void
warm_note(struct cachemgr *cm, uint32_t slot, const struct ipc_msg *done)
{
	struct side s = {.block = head_block(cm_head(cm, slot)),
	    .crc = (uint32_t)done->arg,
	    .flags = head_flags(cm_head(cm, slot)) & SLOT_F_ZBASE};
	uint8_t entry[ENTRY];

	static const uint8_t no_etag[16];

	if (!cm->file)
		return;
	if ((done->flags & IPC_F_HASCRC) == 0 || memcmp(done->etag, no_etag, 16) == 0) {
		warm_strike(cm, slot);
		return;
	}
	memcpy(s.etag, done->etag, sizeof(s.etag));
	slot_valid_read(&cm->tab, slot, s.valid);
	side_encode(slot, &s, entry);
	write_entry(cm, slot, entry);
	cm->side_used[slot] = 1;
}

void
warm_strike(struct cachemgr *cm, uint32_t slot)
{
	static const uint8_t nothing[ENTRY];

	if (cm->side_used[slot] == 0)
		return;
	write_entry(cm, slot, nothing);
	cm->side_used[slot] = 0;
}

/* ---- what was kept ------------------------------------------------------------------------ */

static uint32_t
bucket_of(const struct warm *w, uint32_t block)
{
	return ((uint32_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & w->mask);
}

/* Where the block's slot is noted, or the empty place where it would be. */
static uint32_t
place_of(const struct warm *w, uint32_t block)
{
	uint32_t i = bucket_of(w, block);

	while (w->slot_of[i] != 0 && w->side[w->slot_of[i] - 1].block != block)
		i = (i + 1) & w->mask;
	return (i);
}

/* Open addressing without tombstones: entries behind the hole move up (Knuth, 6.4, algorithm R). */
static void
forget(struct warm *w, uint32_t i)
{
	uint32_t hole = i;

	w->state[w->slot_of[i] - 1] = NOT_KEPT;
	w->slot_of[i] = 0;
	w->n--;
	for (i = (i + 1) & w->mask; w->slot_of[i] != 0; i = (i + 1) & w->mask) {
		uint32_t home = bucket_of(w, w->side[w->slot_of[i] - 1].block);

		if (((i - home) & w->mask) < ((i - hole) & w->mask))
			continue;
		w->slot_of[hole] = w->slot_of[i];
		w->slot_of[i] = 0;
		hole = i;
	}
}

static int
make_tables(struct cachemgr *cm)
{
	struct warm *w = calloc(1, sizeof(*w));
	uint32_t n = 16;

	if (w == NULL)
		return (-ENOMEM);
	while (n < cm->shm->geo.nslots * 2)
		n <<= 1;
	w->mask = n - 1;
	w->slot_of = calloc(n, sizeof(*w->slot_of));
	w->side = calloc(cm->shm->geo.nslots, sizeof(*w->side));
	w->state = calloc(cm->shm->geo.nslots, 1);
	cm->warm = w;
	return (w->slot_of == NULL || w->side == NULL || w->state == NULL ? -ENOMEM : 0);
}

/* Memory of the tables is wanted only while something is kept. */
static void
free_tables(struct cachemgr *cm)
{
	free(cm->warm->slot_of);
	free(cm->warm->side);
	free(cm->warm->state);
	free(cm->warm);
	cm->warm = NULL;
}

static void
keep(struct cachemgr *cm, uint32_t slot, const struct side *s, bool trusted)
{
	struct warm *w = cm->warm;
	uint32_t i;

	if (s->block >= cm->shm->geo.nblocks || head_state(cm_head(cm, slot)) != SLOT_FREE ||
	    bop_find(cm, s->block) != NULL)
		return; /* dirty slots, and blocks that have one, know better */
	/* So does the journal: trimmed, with its object not deleted yet, and the strike lost with the power. */
	if (zero_reads_zero(zero_get(&cm->tab, s->block)) &&
	    !INJECT_FAIL("mutate.d8-keep-trimmed")) {
		warm_strike(cm, slot);
		return;
	}
	i = place_of(w, s->block);
	if (w->slot_of[i] != 0) {
		/* Two of one block: a crash left them, and nobody can say which is newer. */
		slot_release(cm, w->slot_of[i] - 1);
		warm_strike(cm, slot);
		forget(w, i);
		return;
	}
	slot_prepare(cm, slot, s->block); /* OLD: owned by us until it is linked or given up */
	w->side[slot] = *s;
	w->slot_of[i] = slot + 1;
	w->state[slot] = trusted ? CONFIRMED : KEPT;
	w->n++;
}

int
warm_open(struct cachemgr *cm, bool trusted)
{
	uint32_t n = cm->shm->geo.nslots, batch = 4096;
	uint8_t *buf = malloc((size_t)batch * ENTRY);
	int error = buf == NULL ? -ENOMEM : make_tables(cm);

	for (uint32_t s = 0; error == 0 && s < n; s += batch) {
		uint32_t k = n - s < batch ? n - s : batch;

		error = pread_full(cm->cache_fd, buf, (size_t)k * ENTRY,
		    (off_t)(cache_side_off(n) + (uint64_t)s * ENTRY));
		for (uint32_t i = 0; error == 0 && i < k; i++) {
			struct side side;

			if (!side_decode(s + i, buf + (size_t)i * ENTRY, &side))
				continue;
			cm->side_used[s + i] = 1;
			keep(cm, s + i, &side, trusted);
		}
	}
	free(buf);
	if (error == 0 && cm->warm->n > 0)
		log_info("kept from the last run: blocks=%u %s", cm->warm->n,
		    trusted ? "nobody else had the disk" : "to be compared with the bucket");
	else if (cm->warm != NULL)
		free_tables(cm);
	return (error);
}

void
warm_listed(struct cachemgr *cm, uint32_t block, const uint8_t etag[16])
{
	struct warm *w = cm->warm;
	uint32_t i;

	if (w == NULL || (i = place_of(w, block), w->slot_of[i] == 0))
		return;
	if (cm->env->conf->cache_no_verify && w->state[w->slot_of[i] - 1] == CONFIRMED)
		return; /* the user knows better */
	if (memcmp(w->side[w->slot_of[i] - 1].etag, etag, 16) == 0)
		w->state[w->slot_of[i] - 1] = CONFIRMED;
	else
		warm_drop(cm, block);
}

/* W3: the bytes are what the entry says. */
static bool
bytes_hold(struct cachemgr *cm, uint32_t slot, const struct side *s)
{
	static uint8_t chunk[1 << 16], out[4];
	uint32_t sub = cm->shm->geo.sub_size, step = sub < sizeof(chunk) ? sub : sizeof(chunk);
	gcry_md_hd_t md;
	bool ok = true;

	if (INJECT_FAIL("mutate.d3-any-bytes"))
		return (true);
	if (gcry_md_open(&md, GCRY_MD_CRC32, 0) != 0)
		return (false);
	for (uint64_t at = 0; ok && at < cm->shm->geo.block_size; at += step) {
		uint32_t i = (uint32_t)(at >> cm->shm->sub_shift);

		if ((s->valid[i >> 6] >> (i & 63) & 1) == 0)
			memset(chunk, 0, step);
		else
			ok = pread_full(cm->cache_fd, chunk, step,
				 (off_t)(shm_slot_off(cm->shm, slot) + at)) == 0;
		gcry_md_write(md, chunk, step);
	}
	memcpy(out, gcry_md_read(md, GCRY_MD_CRC32), 4);
	gcry_md_close(md);
	return (ok && s->crc == ((uint32_t)out[0] << 24 | (uint32_t)out[1] << 16 |
				    (uint32_t)out[2] << 8 | out[3]));
}

bool
warm_bytes_hold(struct cachemgr *cm, uint32_t slot)
{
	uint8_t entry[ENTRY];
	struct side s;

	if (!cm->file || cm->side_used[slot] == 0)
		return (true);
	if (pread_full(cm->cache_fd, entry, ENTRY,
		(off_t)(cache_side_off(cm->shm->geo.nslots) + (uint64_t)slot * ENTRY)) < 0)
		return (false);
	return (!side_decode(slot, entry, &s) || s.block != head_block(cm_head(cm, slot)) ||
		bytes_hold(cm, slot, &s));
}

bool
warm_take(struct cachemgr *cm, uint32_t block)
{
	struct warm *w = cm->warm;
	struct side *s;
	uint32_t i, slot;

	if (w == NULL || (i = place_of(w, block), w->slot_of[i] == 0))
		return (false);
	slot = w->slot_of[i] - 1;
	s = &w->side[slot];
	if (w->state[slot] != CONFIRMED)
		return (false);
	if (!bytes_hold(cm, slot, s)) {
		log_warn("a kept block does not have its checksum, fetching it: block=%u", block);
		warm_drop(cm, block);
		return (false);
	}
	slot_add_map(cm, slot, s->valid);
	slot_link(cm, slot, block, s->flags, SLOT_LIVE);
	evict_insert(cm, slot);
	forget(w, i);
	if (zero_get(&cm->tab, block) == ZERO_UNKNOWN)
		zero_change(cm, block, ZERO_PRESENT);
	return (true);
}

void
warm_drop(struct cachemgr *cm, uint32_t block)
{
	struct warm *w = cm->warm;
	uint32_t i, slot;

	if (w == NULL || (i = place_of(w, block), w->slot_of[i] == 0))
		return;
	slot = w->slot_of[i] - 1;
	forget(w, i);
	slot_release(cm, slot);
}

uint32_t
warm_evict(struct cachemgr *cm)
{
	struct warm *w = cm->warm;

	for (uint32_t n = 0; w != NULL && n < cm->shm->geo.nslots; n++) {
		uint32_t slot = w->cursor++ % cm->shm->geo.nslots;

		if (w->state[slot] == NOT_KEPT)
			continue;
		forget(w, place_of(w, w->side[slot].block));
		return (slot);
	}
	if (w != NULL)
		free_tables(cm);
	return (IPC_NO_SLOT);
}

void
warm_trim(struct cachemgr *cm, uint64_t from, uint64_t to)
{
	struct warm *w = cm->warm;

	for (uint32_t s = 0; w != NULL && s < cm->shm->geo.nslots; s++)
		if (w->state[s] != NOT_KEPT && w->side[s].block >= from && w->side[s].block < to)
			warm_drop(cm, w->side[s].block);
}

void
warm_drop_unsure(struct cachemgr *cm, uint64_t from, uint64_t to)
{
	struct warm *w = cm->warm;

	for (uint32_t s = 0; w != NULL && s < cm->shm->geo.nslots; s++)
		if (w->state[s] == KEPT && w->side[s].block >= from && w->side[s].block < to)
			warm_drop(cm, w->side[s].block);
}

bool
warm_unsure(struct cachemgr *cm, uint32_t block)
{
	const struct warm *w = cm->warm;
	uint32_t i;

	return (w != NULL && (i = place_of(w, block), w->slot_of[i] != 0) &&
		w->state[w->slot_of[i] - 1] == KEPT);
}

bool
warm_holds(struct cachemgr *cm, uint32_t slot)
{
	return (cm->warm != NULL && cm->warm->state[slot] != NOT_KEPT);
}
