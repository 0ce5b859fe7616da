/* SPDX-License-Identifier: ISC */
/*
 * write_log.h -- which bytes of the cache the frontend has written since the last commit.
 *
 * One ring per frontend thread, in the segment.  The thread notes each write before it is answered;
 * cachemgr takes the notes when it builds a commit, and puts those bytes into its journal instead of
 * syncing the whole cache file (cachemgr/wrote.h).  A ring that is full loses the note and says so: then
 * cachemgr only knows that something was written, and syncs.  So a small ring is enough; whoever writes more
 * between two flushes is better off with a sync.
 *
 * Process:  frontend (add), cachemgr (take).
 * Threads:  add: the one whose ring it is.  take: cachemgr's main thread.
 * Errors:   add: none.  take: -EPROTO, an index that cannot be; the ring is empty then.
 *
 * Order: bytes, valid bits, note, answer.  So a note that can be seen is of bytes that can be read, and
 * every write that was answered before a flush was asked for has its note, or has left its mark in `lost`.
 */
#ifndef S3B_IPC_WRITE_LOG_H
#define S3B_IPC_WRITE_LOG_H

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WRITE_LOG_NOTES 64u

struct ipc_wrote {	   /* transient */
	uint32_t slot;
	uint32_t gen;	   /* of the slot then, 16 bits */
	uint32_t off, len; /* bytes within the slot */
};

struct ipc_write_log {
	alignas(64) _Atomic uint32_t tail; /* frontend: notes ever made */
	_Atomic uint32_t lost;		   /* frontend: and how many found no room */
	alignas(64) _Atomic uint32_t head; /* cachemgr: notes ever taken */
	alignas(64) struct ipc_wrote note[WRITE_LOG_NOTES];
};
_Static_assert(sizeof(struct ipc_write_log) == 128 + WRITE_LOG_NOTES * 16, "layout v1");

static inline void
write_log_add(struct ipc_write_log *l, const struct ipc_wrote *w)
{
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);

	if (tail - atomic_load_explicit(&l->head, memory_order_acquire) >= WRITE_LOG_NOTES) {
		uint32_t lost = atomic_load_explicit(&l->lost, memory_order_relaxed);

		atomic_store_explicit(&l->lost, lost + 1, memory_order_release);
		return;
	}
	l->note[tail % WRITE_LOG_NOTES] = *w;
	/* Release: who sees the new tail sees the note, and the bytes it is about. */
	atomic_store_explicit(&l->tail, tail + 1, memory_order_release);
}

/* 1: a note; 0: there is none. */
static inline int
write_log_take(struct ipc_write_log *l, struct ipc_wrote *ret_note)
{
	uint32_t head = atomic_load_explicit(&l->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_acquire);

	if (tail == head)
		return (0);
	if (tail - head > WRITE_LOG_NOTES) {
		atomic_store_explicit(&l->head, tail, memory_order_release);
		return (-EPROTO);
	}
	*ret_note = l->note[head % WRITE_LOG_NOTES];
	/* Release: the place may be written over only when its note has been copied. */
	atomic_store_explicit(&l->head, head + 1, memory_order_release);
	return (1);
}

/* Grows when a note was lost; compare with what it was at the last look. */
static inline uint32_t
write_log_lost(const struct ipc_write_log *l)
{
	return (atomic_load_explicit(&l->lost, memory_order_acquire));
}

#endif
