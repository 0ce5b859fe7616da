/* SPDX-License-Identifier: ISC */
#include "supervisor/haul.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/durable.h"
#include "common/timeutil.h"

#include "supervisor/haul_impl.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define BUFFER_BYTES (64u << 20)
#define SLOTS_MIN    4u
#define SLOTS_MAX    256u
#define LIST_PARTS   16u
#define BURST	     64 /* blocks looked at between two looks at the answers */
#define PASSES_MAX   5	/* of a source that is being written to: no end in sight */
#define SAVE_US	     (3 * US_PER_S)
#define BAR_US	     (200 * US_PER_MS)
#define STALLED_US   (3 * US_PER_S)

static const uint8_t none[16];
/* What the listing cannot say in a version, and a block of an image, which has none. */
static const uint8_t some[16] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void
haul_fail(struct haul *h, int err, const char *fmt, ...)
{
	va_list ap;

	if (h->error < 0)
		return;
	h->error = err;
	va_start(ap, fmt);
	(void)vsnprintf(h->why, sizeof(h->why), fmt, ap);
	va_end(ap);
}

static bool
is_none(const uint8_t etag[16])
{
	return (memcmp(etag, none, 16) == 0);
}

static bool
same(const uint8_t a[16], const uint8_t b[16])
{
	return (memcmp(a, b, 16) == 0);
}

/* ---- how far it is -------------------------------------------------------------------------- */

static void
show(struct haul *h)
{
	uint64_t now = now_us(), rate, left;
	char words[480], text[512];

	if (now - h->moved_us > STALLED_US) {
		carrier_words(&h->c, words, sizeof(words));
		(void)snprintf(text, sizeof(text), "%s, waiting%s%s", h->verb,
		    *words != '\0' ? ": " : "", words);
		bar_show(&h->bar, text, 0, 0, 0, 0);
		return;
	}
	if (h->wanted_bytes == 0)
		return;
	rate = h->done_bytes * US_PER_S / max_u64(now - h->began_us, 1);
	left = h->wanted_bytes > h->done_bytes ? h->wanted_bytes - h->done_bytes : 0;
	bar_show(&h->bar, h->verb, min_u64(h->done_bytes, h->wanted_bytes), h->wanted_bytes, rate,
	    rate > 0 ? (double)left / (double)rate : 0);
}

/* U2. */
static void
save(struct haul *h)
{
	int r = 0;

	h->saved_us = now_us();
	if (h->to == HAUL_IMAGE && (r = durable_sync(h->image)) < 0)
		haul_fail(h, r, "%s: %s", h->image_name, strerror(-r));
	else if ((r = marks_save(&h->marks)) < 0)
		haul_fail(h, r, "%s: %s", h->marks.path, strerror(-r));
}

static int
wait_a_while(struct haul *h, uint64_t limit_us)
{
	char *error = NULL;
	int r = carrier_wait(&h->c, deadline_in_us(limit_us), &error);

	if (r < 0)
		haul_fail(h, r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	for (unsigned i = 0; i < h->nsites; i++)
		if (site_stopped(h->site[i]))
			haul_fail(h, -EINTR, "interrupted");
	show(h);
	return (h->error);
}

/* ---- listing -------------------------------------------------------------------------------- */

static int
list_store(struct haul *h, unsigned store)
{
	const struct conf *conf = h->site[store]->s->conf;
	/* A directory is read whole each time, and hashed names of a range lie anywhere. */
	uint64_t parts = conf->store_is_dir || conf->block_hash_prefix ? 1 : LIST_PARTS;
	uint64_t each = div_up(h->nblocks, parts);

	marks_table_free(h->listed[store], h->nblocks, 16);
	h->nlisted = 0;
	if ((h->listed[store] = marks_table(h->nblocks, 16)) == NULL) {
		haul_fail(h, -ENOMEM, "out of memory");
		return (h->error);
	}
	for (uint64_t at = 0; at < h->nblocks; at += each) {
		if (!carrier_list(&h->c, store, at, min_u64(each, h->nblocks - at), IPC_F_ETAG))
			break;
		h->listing++;
	}
	while (h->listing > 0 && wait_a_while(h, BAR_US) == 0)
		;
	return (h->error);
}

int
haul_list(struct haul *h, unsigned store, uint64_t *ret_blocks)
{
	if (list_store(h, store) < 0)
		return (h->error);
	*ret_blocks = h->nlisted;
	return (0);
}

static void
on_listed(struct haul *h, unsigned store, const struct ipc_msg *m)
{
	h->moved_us = now_us();
	for (uint64_t i = 0; i < m->arg; i++) {
		h->nlisted += is_none(h->listed[store][m->block + i]); /* pages may come twice */
		memcpy(h->listed[store][m->block + i], is_none(m->etag) ? some : m->etag, 16);
	}
}

/* ---- one block after the other -------------------------------------------------------------- */

static void
set_mark(struct haul *h, uint32_t block, const uint8_t from[16], const uint8_t to[16])
{
	if (marks_set(&h->marks, block, from, to) < 0)
		haul_fail(h, -ENOMEM, "out of memory");
	h->moved_us = now_us();
}

static const uint8_t *
version(const struct haul *h, int end, uint64_t block)
{
	return (end == HAUL_IMAGE ? none : h->listed[end][block]);
}

/* Was the block carried, and has neither end changed since? */
static bool
is_carried(const struct haul *h, uint64_t block)
{
	const struct mark *m = &h->marks.mark[block];
	const uint8_t *from = version(h, h->from, block), *to = version(h, h->to, block);

	if (h->to != HAUL_IMAGE && !same(m->to, to))
		return (false);
	if (h->from == HAUL_IMAGE)
		return (same(m->from, some));
	return (same(m->from, from) && !same(from, some));
}

static bool
destination_has(const struct haul *h, uint64_t block)
{
	return (h->to == HAUL_IMAGE ? !is_none(h->marks.mark[block].from)
				    : !is_none(h->listed[h->to][block]));
}

bool
haul_is_listed(const struct haul *h, unsigned store, uint64_t block)
{
	return (!is_none(h->listed[store][block]));
}

bool
haul_delete(struct haul *h, uint64_t block)
{
	if (h->deleting >= h->c.shm.geo.nslots || !carrier_delete(&h->c, (unsigned)h->to, block))
		return (false);
	h->deleting++;
	return (true);
}

int
haul_wait(struct haul *h)
{
	return (wait_a_while(h, BAR_US));
}

/* The source has zeros there.  False: enough is on its way. */
static bool
carry_nothing(struct haul *h, uint32_t block)
{
	const uint8_t *from = h->from == HAUL_IMAGE ? some : none;

	if (!destination_has(h, block))
		return (true);
	if (h->to == HAUL_IMAGE) {
		haul_image_punch(h, (uint64_t)block * h->block_size);
		set_mark(h, block, from, none);
		return (true);
	}
	return (haul_delete(h, block));
}

static void
put(struct haul *h, uint32_t slot)
{
	struct haul_slot *s = &h->slot[slot];
	bool absent = is_none(h->listed[h->to][s->block]);

	s->putting = true;
	if (!carrier_put(&h->c, (unsigned)h->to, s->block, slot, absent ? IPC_F_ABSENT : 0))
		haul_fail(h, -EAGAIN, "too many requests at once");
}

/* False: no slot is free. */
static bool
carry(struct haul *h, uint32_t block)
{
	uint64_t at = (uint64_t)block * h->block_size;
	uint32_t slot;

	if (h->nidle == 0)
		return (false);
	slot = h->idle[h->nidle - 1];
	h->slot[slot] = (struct haul_slot){.block = block};
	if (h->from == HAUL_IMAGE) {
		if (haul_image_read(h, at, carrier_slot(&h->c, slot)) < 0)
			return (false);
		if (mem_is_zero(carrier_slot(&h->c, slot), h->block_size)) {
			if (!destination_has(h, block))
				set_mark(h, block, some, none);
			return (carry_nothing(h, block));
		}
		h->nidle--;
		memcpy(h->slot[slot].etag, some, 16);
		put(h, slot);
		return (true);
	}
	h->nidle--;
	if (!carrier_get(&h->c, (unsigned)h->from, block, slot))
		haul_fail(h, -EAGAIN, "too many requests at once");
	return (true);
}

/* False: not now. */
static bool
look_at(struct haul *h, uint64_t block)
{
	bool has = h->from == HAUL_IMAGE ? haul_image_has_data(h, block * h->block_size)
					 : !is_none(h->listed[h->from][block]);

	if (is_carried(h, block) && (has || !destination_has(h, block)))
		return (true);
	return (has ? carry(h, (uint32_t)block) : carry_nothing(h, (uint32_t)block));
}

/* ---- answers -------------------------------------------------------------------------------- */

static void
cannot_read(struct haul *h, const struct ipc_msg *m)
{
	if (!h->force) {
		haul_fail(h, m->status,
		    "block %llu cannot be read: %s (the log says more; --force goes "
		    "on behind such blocks)",
		    (unsigned long long)m->block, strerror(-m->status));
		return;
	}
	h->bad_blocks++;
	bar_end(&h->bar);
	(void)site_complain(
	    0, "block %llu cannot be read: %s", (unsigned long long)m->block, strerror(-m->status));
}

static void
on_got(struct haul *h, const struct ipc_msg *m)
{
	struct haul_slot *s = &h->slot[m->slot];

	if (m->status == 0 && (m->flags & IPC_F_ZERO) == 0 && h->to != HAUL_IMAGE) {
		memcpy(s->etag, is_none(m->etag) ? some : m->etag, 16);
		put(h, m->slot);
		return;
	}
	h->done_bytes += h->block_size;
	if (m->status < 0) {
		cannot_read(h, m);
	} else if ((m->flags & IPC_F_ZERO) == 0) {
		haul_image_write(h, s->block, carrier_slot(&h->c, m->slot));
		set_mark(h, s->block, is_none(m->etag) ? some : m->etag, none);
		h->carried_blocks++;
	}
	h->idle[h->nidle++] = m->slot; /* gone since the listing: the next one will show it */
}

static void
on_put(struct haul *h, const struct ipc_msg *m)
{
	struct haul_slot *s = &h->slot[m->slot];

	h->idle[h->nidle++] = m->slot;
	if (m->status < 0) {
		haul_fail(
		    h, m->status, "block %u cannot be written: %s", s->block, strerror(-m->status));
		return;
	}
	if (h->from != HAUL_IMAGE)
		h->done_bytes += h->block_size;
	h->carried_blocks++;
	memcpy(h->listed[h->to][s->block],
	    (m->flags & IPC_F_ZERO) != 0 ? none
	    : is_none(m->etag)		 ? some
					 : m->etag,
	    16);
	set_mark(h, s->block, s->etag, h->listed[h->to][s->block]);
}

static void
on_done(void *arg, unsigned store, const struct ipc_msg *m)
{
	struct haul *h = arg;

	if (m->type == IPC_LISTED) {
		on_listed(h, store, m);
	} else if (h->listing > 0) {
		h->listing--;
		if (m->status < 0)
			haul_fail(h, m->status, "cannot list the blocks: %s", strerror(-m->status));
	} else if (m->slot == IPC_NO_SLOT) {
		h->deleting--;
		if (m->status < 0)
			haul_fail(h, m->status, "block %llu cannot be deleted: %s",
			    (unsigned long long)m->block, strerror(-m->status));
		memcpy(h->listed[h->to][m->block], none, 16);
		if (h->marks.mark != NULL)
			set_mark(h, (uint32_t)m->block, h->from == HAUL_IMAGE ? some : none, none);
	} else if (h->slot[m->slot].putting) {
		on_put(h, m);
	} else {
		on_got(h, m);
	}
}

/* ---- passes --------------------------------------------------------------------------------- */

/* How many bytes there are to carry; of an image nobody knows before it was read. */
static void
count(struct haul *h)
{
	h->wanted_bytes = h->done_bytes = 0;
	if (h->from == HAUL_IMAGE) {
		h->wanted_bytes = h->nblocks * h->block_size;
		return;
	}
	for (uint64_t b = 0; b < h->nblocks; b++)
		if (!is_none(h->listed[h->from][b]) && !is_carried(h, b))
			h->wanted_bytes += h->block_size;
}

static void
pass(struct haul *h)
{
	h->next = h->data_at = h->data_end = 0;
	h->began_us = h->moved_us = h->saved_us = now_us();
	count(h);
	while (h->error == 0 && (h->next < h->nblocks || h->c.in_flight > 0)) {
		unsigned burst = 0;

		while (
		    h->error == 0 && h->next < h->nblocks && burst < BURST && look_at(h, h->next)) {
			h->next++;
			burst++;
			if (h->from == HAUL_IMAGE)
				h->done_bytes = h->next * h->block_size;
		}
		if (h->error == 0)
			(void)wait_a_while(h, burst == BURST ? 0 : BAR_US);
		if (now_us() - h->saved_us > SAVE_US)
			save(h);
	}
	/* What is on its way when it failed is not waited for: the next run finds it done or not. */
	save(h);
}

/* Has the source changed meanwhile? */
static bool
differs(struct haul *h)
{
	if (list_store(h, (unsigned)h->from) < 0)
		return (false);
	for (uint64_t b = 0; b < h->nblocks; b++) {
		const uint8_t *from = h->listed[h->from][b];

		if (!same(from, some) && !same(from, h->marks.mark[b].from) &&
		    !(h->bad_blocks > 0 && is_none(h->marks.mark[b].from)))
			return (true);
	}
	return (false);
}

int
haul_run(struct haul *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->nsites; i++)
		if (h->listed[i] == NULL && list_store(h, i) < 0)
			break;
	do {
		if (h->error == 0)
			pass(h);
		if (h->error < 0 || h->from == HAUL_IMAGE)
			break;
		if (++n > PASSES_MAX)
			haul_fail(h, -EBUSY,
			    "the disk is being written to: it changes as fast as it is read");
	} while (h->error == 0 && differs(h));
	bar_end(&h->bar);
	return (h->error);
}

int
haul_open(struct haul *h, bool writes)
{
	const struct super *owner[CARRIER_STORES] = {NULL};
	unsigned nslots;
	char *error = NULL;
	int r;

	h->marks.fd = -1;
	h->began_us = h->moved_us = now_us();
	bar_begin(&h->bar, stderr);
	for (unsigned i = 0; i < h->nsites; i++)
		owner[i] = h->site[i]->s;
	h->block_size = owner[h->nsites - 1]->shm.geo.block_size;
	h->nblocks = owner[h->nsites - 1]->size / h->block_size;
	nslots = (unsigned)max_u64(min_u64(BUFFER_BYTES / h->block_size, SLOTS_MAX), SLOTS_MIN);
	nslots = (unsigned)min_u64(nslots, conf_max_transfers(owner[0]->conf, h->block_size));
	r = carrier_open(owner, h->nsites, writes, nslots, &h->c, &error);
	if (r < 0)
		haul_fail(h, r, "%s", error != NULL ? error : strerror(-r));
	free(error);
	h->c.done = on_done;
	h->c.arg = h;
	h->idle = calloc(nslots, sizeof(*h->idle));
	h->slot = calloc(nslots, sizeof(*h->slot));
	if (h->idle == NULL || h->slot == NULL)
		haul_fail(h, -ENOMEM, "out of memory");
	while (h->idle != NULL && h->nidle < nslots) {
		h->idle[h->nidle] = h->nidle;
		h->nidle++;
	}
	return (h->error);
}

void
haul_close(struct haul *h, bool done)
{
	carrier_close(&h->c);
	marks_close(&h->marks, done);
	for (unsigned i = 0; i < CARRIER_STORES; i++)
		marks_table_free(h->listed[i], h->nblocks, 16);
	free(h->idle);
	free(h->slot);
	if (h->image >= 0)
		close(h->image);
	h->image = -1;
}
