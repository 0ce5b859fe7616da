/* SPDX-License-Identifier: ISC */
/*
 * hit.c -- the path without a message.
 *
 * Two things here are not in the rules of the slot table, because they concern frontend threads
 * among themselves:
 *
 * Filling.  In a slot with SLOT_F_ZBASE a sub-block that is not valid reads as zero, so a write to a
 * part of it can fill up the rest with zeros and need not ask.  Two threads that write different
 * parts of one such sub-block must not both do that, or the later would zero the earlier's bytes.
 * Whoever fills holds the slot's fill lock alone; whoever writes whole sub-blocks that are not yet
 * valid shares it; whoever finds all valid needs none, because filling never touches what is valid.
 *
 * Order.  A write of the user that has not been answered has no order to any other, so nothing else
 * is locked: two overlapping writes in flight may leave either's bytes, as on any disk.
 */
#include "frontend/hit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc/slot_table.h"
#include "ipc/state.h"
#include "ipc/write_log.h"

#include "common/blockmath.h"
#include "common/counters.h"
#include "common/inject.h"
#include "common/role.h"

#include "frontend/channel.h"
#include "frontend/guard.h"
#include "frontend/reply.h"
#include "frontend/volume.h"

#define TIME_SHIFT 17 /* us to eighths of a second, nearly */
#define APART	   2  /* of those: at least one whole */

void
lane_init(struct lane *l, struct volume *v, unsigned line)
{
	memset(l, 0, sizeof(*l));
	l->v = v;
	l->line = &v->table.hazard[line];
	if (v->memory == NULL)
		l->log = (struct ipc_write_log *)shm_area(v->env->shm, SHM_WRITE_LOG) + line;
	l->told_slot = IPC_NO_SLOT;
}

void
lane_release(struct lane *l)
{
	bool wanted = false;

	for (unsigned i = 0; i < l->held; i++)
		wanted |= hazard_drop(&l->v->table, l->line, i, l->slot[i]);
	l->held = 0;
	l->niov = 0;
	if (wanted)
		volume_ring_cachemgr(l->v); /* H5 */
}

/*
 * Eviction wants to know what is used: up to three times since it last looked make a difference.  The
 * requests of one pass over the block are one time, so those that come soon after are not counted.
 */
static void
touch(struct ipc_slot *s)
{
	uint8_t t = atomic_load_explicit(&s->touch, memory_order_relaxed);
	uint8_t seen = atomic_load_explicit(&s->seen, memory_order_relaxed);
	uint8_t now = (uint8_t)(reply_began_us >> TIME_SHIFT);

	if ((uint8_t)(t - seen) >= 3)
		return;
	if (t != seen &&
	    (uint8_t)(now - atomic_load_explicit(&s->when, memory_order_relaxed)) < APART)
		return;
	/* Not one step: a hit lost between two threads changes nothing that matters. */
	atomic_store_explicit(&s->touch, (uint8_t)(t + 1), memory_order_relaxed);
	atomic_store_explicit(&s->when, now, memory_order_relaxed);
}

/* A marked slot says that read-ahead should go on; once per mark and thread is enough. */
static void
pass_mark_on(struct lane *l, uint32_t slot, uint64_t h)
{
	if (l->told_slot == slot && l->told_gen == head_gen(h))
		return;
	l->told_slot = slot;
	l->told_gen = head_gen(h);
	channel_tell(l->v->channel, IPC_AHEAD, head_block(h), slot, head_gen(h), 0);
}

/*
 * Names the block's slot in the lane (H1).  HIT: entry l->held is taken, not counted yet, and its
 * head is in *ret_head.  HIT_ZERO: there is none and the block is zero.  MISS: ask.
 */
static int
take_slot(struct lane *l, uint32_t block, bool write, uint32_t *ret_slot, uint64_t *ret_head)
{
	const struct slot_table *t = &l->v->table;
	bool sure;
	uint32_t slot = slot_table_find(t, block, &sure);
	uint64_t h;

	if (slot == IPC_NO_SLOT)
		return (sure && zero_reads_zero(zero_get(t, block)) ? HIT_ZERO : MISS);
	h = hazard_take(t, l->line, l->held, slot, block, write);
	if (h == 0) {
		/* The head changed since: whoever changed it may have seen us and be waiting. */
		if ((head_flags(atomic_load(&t->slot[slot].head)) & SLOT_F_WANT) != 0)
			volume_ring_cachemgr(l->v);
		return (MISS);
	}
	*ret_slot = slot;
	*ret_head = h;
	return (HIT);
}

static void
drop_slot(struct lane *l, uint32_t slot)
{
	if (hazard_drop(&l->v->table, l->line, l->held, slot))
		volume_ring_cachemgr(l->v);
}

/* Appends bytes to the iov, joined to the last entry where they follow it or are zeros as well. */
static bool
iov_add(struct lane *l, const char *p, size_t len)
{
	if (l->niov > 0) {
		struct iovec *last = &l->iov[l->niov - 1];
		const char *base = last->iov_base;

		if (base + last->iov_len == p ||
		    (p == l->v->zeros && base == p && last->iov_len + len <= FE_MAX_IO)) {
			last->iov_len += len;
			return (true);
		}
	}
	if (l->niov == LANE_IOV)
		return (false);
	l->iov[l->niov++] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	return (true);
}

/* A slot whose parts are not all valid: those that are not are zero, if it says so. */
static int
iov_add_parts(
    struct lane *l, uint32_t slot, uint64_t h, const struct block_span *sp, const char *bytes)
{
	uint32_t shift = l->v->env->shm->sub_shift;
	uint32_t at = sp->off, end = sp->off + sp->len;

	if ((head_flags(h) & SLOT_F_ZBASE) == 0)
		return (MISS);
	while (at < end) {
		uint32_t sub = at >> shift;
		uint32_t stop = (uint32_t)min_u64(end, (uint64_t)(sub + 1) << shift);
		bool valid = slot_valid_test(&l->v->table, slot, sub);

		/* A sub-block may be larger than the area of zeros; a request is not. */
		if (!iov_add(l, valid ? bytes + (at - sp->off) : l->v->zeros, stop - at))
			return (-ENOBUFS);
		at = stop;
	}
	return (HIT);
}

int
hit_read(struct lane *l, const struct block_span *sp)
{
	struct volume *v = l->v;
	const struct shm *shm = v->env->shm;
	unsigned niov = l->niov;
	const char *bytes;
	uint32_t slot;
	uint64_t h;
	int r;

	if (l->held == IPC_HAZ_PER_LINE)
		return (-ENOBUFS);
	r = take_slot(l, (uint32_t)sp->block, false, &slot, &h);
	if (r == HIT_ZERO)
		return (iov_add(l, v->zeros, sp->len) ? HIT_ZERO : -ENOBUFS);
	if (r != HIT)
		return (r);
	bytes = v->map + shm_slot_off(shm, slot) + sp->off;
	if (slot_valid_all(&v->table, slot, sp->off >> shm->sub_shift,
		(sp->off + sp->len - 1) >> shm->sub_shift))
		r = iov_add(l, bytes, sp->len) ? HIT : -ENOBUFS;
	else
		r = iov_add_parts(l, slot, h, sp, bytes);
	if (r != HIT) {
		l->niov = niov;
		drop_slot(l, slot);
		return (r);
	}
	touch(&v->table.slot[slot]);
	if ((head_flags(h) & SLOT_F_MARK) != 0)
		pass_mark_on(l, slot, h);
	l->slot[l->held++] = slot;
	return (HIT);
}

/* pread(2) of exactly len bytes. */
static int
read_fully(int fd, char *dst, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pread(fd, dst, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (n < 0 ? -errno : -EIO);
		dst += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return (0);
}

static int
copy_from(const struct lane *l, unsigned first, char *dst)
{
	const struct volume *v = l->v;
	int error = 0;

	for (unsigned i = first; i < l->niov && error == 0; i++) {
		const char *p = l->iov[i].iov_base;
		size_t len = l->iov[i].iov_len;

		/* Not memcpy from a mapped file: a bad disk is to be an error, not SIGBUS. */
		if (v->memory != NULL && volume_in_cache(v, p))
			memcpy(dst, p, len);
		else if (volume_in_cache(v, p))
			error = read_fully(v->cache_fd, dst, len, (uint64_t)(p - v->map));
		else
			memset(dst, 0, len);
		dst += len;
	}
	return (error);
}

int
lane_copy(const struct lane *l, char *dst)
{
	return (copy_from(l, 0, dst));
}

int
hit_copy(struct lane *l, const struct block_span *sp, char *dst)
{
	unsigned niov = l->niov, held = l->held;
	int r = hit_read(l, sp), error;

	if (r != HIT && r != HIT_ZERO)
		return (r);
	error = copy_from(l, niov, dst);
	l->niov = niov;
	while (l->held > held)
		drop_slot(l, l->slot[--l->held]);
	return (error < 0 ? error : r);
}

/* ---- writing --------------------------------------------------------------------------- */
struct put { /* one write into a slot */
	const struct block_span *sp;
	const char *src;	       /* NULL: zeros */
	uint32_t first, last;	       /* sub-blocks touched */
	uint32_t fill_head, fill_tail; /* bytes of zeros in front and behind */
};

/* pwritev(2) of zeros, data, zeros; the area of zeros is as long as a request, so cut into such. */
static int
put_bytes(const struct volume *v, uint32_t slot, const struct put *p)
{
	uint64_t at = shm_slot_off(v->env->shm, slot) + p->sp->off - p->fill_head;
	uint64_t left[3] = {p->fill_head, p->sp->len, p->fill_tail};
	const char *src = p->src;

	if (v->memory != NULL) {
		char *to = v->memory + at;

		memset(to, 0, p->fill_head);
		if (src != NULL)
			memcpy(to + p->fill_head, src, p->sp->len);
		else
			memset(to + p->fill_head, 0, p->sp->len);
		memset(to + p->fill_head + p->sp->len, 0, p->fill_tail);
		return (0);
	}
	while (left[0] + left[1] + left[2] > 0) {
		struct iovec iov[3];
		int n = 0;
		ssize_t got;

		for (unsigned i = 0; i < 3; i++) {
			const char *b = i == 1 && src != NULL ? src : v->zeros;
			uint64_t most = b == v->zeros ? FE_MAX_IO : UINT64_MAX;

			if (left[i] == 0)
				continue;
			iov[n++] = (struct iovec){(void *)(uintptr_t)b, min_u64(left[i], most)};
			if (left[i] > most)
				break;
		}
		got = pwritev(v->cache_fd, iov, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (got < 0 ? -errno : -EIO);
		at += (uint64_t)got;
		for (unsigned i = 0; i < 3; i++) {
			uint64_t took = min_u64(left[i], (uint64_t)got);

			if (i == 1 && src != NULL)
				src += took;
			left[i] -= took;
			got -= (ssize_t)took;
		}
	}
	return (0);
}

/* How much of the first and last sub-block is to be filled up; false: that is not possible. */
static bool
plan_fill(const struct volume *v, uint32_t slot, uint64_t h, struct put *p)
{
	uint32_t sub = v->env->shm->geo.sub_size;
	uint32_t head = p->sp->off & (sub - 1), tail = -(p->sp->off + p->sp->len) & (sub - 1);

	p->fill_head = head != 0 && !slot_valid_test(&v->table, slot, p->first) ? head : 0;
	p->fill_tail = tail != 0 && !slot_valid_test(&v->table, slot, p->last) ? tail : 0;
	return ((p->fill_head == 0 && p->fill_tail == 0) || (head_flags(h) & SLOT_F_ZBASE) != 0);
}

/*
 * H6: wseq before the first byte, valid bits after the last.  Clean to dirty is announced; whoever
 * dies before that leaves wseq != cseq behind, which the burial finds.
 */
static int
put_dirty(struct lane *l, uint32_t slot, const struct put *p, bool *ret_announce)
{
	struct ipc_slot *s = &l->v->table.slot[slot];
	uint32_t was;
	int error;

	l->lost_before = atomic_load(&l->v->env->state->notes_lost);
	was = atomic_fetch_add(&s->wseq, 1);

	*ret_announce = was == atomic_load(&s->cseq);
	INJECT("frontend.write.after-wseq");
	error = put_bytes(l->v, slot, p);
	INJECT("frontend.write.after-copy");
	if (error == 0) {
		slot_valid_set(&l->v->table, slot, p->first, p->last);
		touch(s);
	}
	return (error);
}

/* Some of what is touched is not valid yet: see "Filling" above. */
static int
put_invalid(struct lane *l, uint32_t slot, uint64_t h, struct put *p, bool *ret_announce)
{
	struct volume *v = l->v;
	pthread_rwlock_t *lock = &v->fill_lock[slot % FE_FILL_LOCKS];
	int r;

	if (p->src == NULL && (head_flags(h) & SLOT_F_ZBASE) != 0 &&
	    !slot_valid_any(&v->table, slot, p->first, p->last))
		return (HIT); /* zero already */
	if (!plan_fill(v, slot, h, p))
		return (MISS);
	if (p->fill_head != 0 || p->fill_tail != 0) {
		(void)pthread_rwlock_wrlock(lock);
		(void)plan_fill(v, slot, h, p); /* another may have been faster */
	} else {
		(void)pthread_rwlock_rdlock(lock);
	}
	r = put_dirty(l, slot, p, ret_announce);
	(void)pthread_rwlock_unlock(lock);
	return (r);
}

int
hit_write(struct lane *l, const struct block_span *sp, const char *src, bool granted)
{
	struct volume *v = l->v;
	const struct shm *shm = v->env->shm;
	struct put p = {.sp = sp,
	    .src = src,
	    .first = sp->off >> shm->sub_shift,
	    .last = (sp->off + sp->len - 1) >> shm->sub_shift};
	bool announce = false;
	uint32_t slot;
	uint64_t h;
	int r;

	r = take_slot(l, (uint32_t)sp->block, true, &slot, &h);
	if (r == HIT_ZERO)
		return (src == NULL ? HIT_ZERO : MISS);
	if (r != HIT)
		return (r);
	if (!granted && !slot_dirty(&v->table.slot[slot]) &&
	    atomic_load_explicit(&v->env->state->dirty_full, memory_order_relaxed) != 0)
		r = MISS;
	else if (slot_valid_all(&v->table, slot, p.first, p.last))
		r = put_dirty(l, slot, &p, &announce);
	else
		r = put_invalid(l, slot, h, &p, &announce);
	if (r == HIT && l->log != NULL) {
		struct ipc_wrote w = {slot, head_gen(h), sp->off, sp->len};

		INJECT("frontend.write.before-note");
		write_log_add(l->log, &w);
	}
	/* Announced while the slot is still named: until then its generation cannot change. */
	if (announce)
		channel_tell(v->channel, IPC_DIRTY, sp->block, slot, head_gen(h), l->lost_before);
	drop_slot(l, slot);
	return (r);
}
