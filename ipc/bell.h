/* SPDX-License-Identifier: ISC */
/*
 * bell.h -- wakes one process: "look at your rings".
 *
 * One bell per process, in the segment.  Anyone may ring it, signal handlers too; only its owner
 * waits.  It is a hint, the rings are the truth.  The only right order, for the owner
 *
 *	ipc_bell_clear(b);  look at every ring and flag;
 *	nothing found?  ipc_bell_wait(b, deadline);
 *
 * and for everyone else: publish first, then ring.  Any other order loses a wake-up.
 *
 * Two kinds behind one interface.  A semaphore (a futex, process-shared) for the roles whose
 * only sleep is the bell.  An eventfd for those that sleep in poll(2) or curl_multi_poll() as well,
 * which no semaphore can join: the supervisor and the uploaders; its descriptor is handed over at
 * start. `asleep` spares the system call while the owner is awake: the owner sets it before its last
 *look at the count, the ringer counts first and then reads it, both sequentially consistent.
 *
 * Threads:  ring from any thread; clear and wait from the owner's one waiting thread.
 */
#ifndef S3B_IPC_BELL_H
#define S3B_IPC_BELL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

struct ipc_bell {
	_Atomic uint32_t rung;	  /* anyone: rings since the owner last cleared; 0 = nothing new */
	_Atomic uint32_t asleep;  /* owner: 1 while it sleeps or is about to */
	_Atomic uint64_t wake_us; /* owner: when it will look again by itself (monotonic us) */
	uint32_t kind;		  /* supervisor, at creation: enum ipc_bell_kind */
	uint32_t pad;
	_Atomic uint32_t sem; /* anyone counts up, owner waits and clears */
	uint8_t fill[36];
};
_Static_assert(sizeof(struct ipc_bell) == 64, "one line");

enum ipc_bell_kind {
	IPC_BELL_SEM,
	IPC_BELL_EVENTFD
};

int ipc_bell_init(struct ipc_bell *, enum ipc_bell_kind);
/* `efd` is the owner's eventfd, -1 for a semaphore. */
void ipc_bell_ring(struct ipc_bell *, int efd);
/* Ring only if the owner would not look by itself before `by_us`: for messages that can wait. */
void ipc_bell_ring_by(struct ipc_bell *, int efd, uint64_t by_us);
void ipc_bell_clear(struct ipc_bell *, int efd);
/* Semaphore kind.  Returns when rung or at `deadline_us` (monotonic; UINT64_MAX: never). */
void ipc_bell_wait(struct ipc_bell *, uint64_t deadline_us);
/*
 * Eventfd kind: call before poll(); if it returns false something was rung since the last clear and
 * poll must not sleep.  ipc_bell_clear() after it.
 */
int ipc_bell_may_sleep(struct ipc_bell *, uint64_t deadline_us);

#endif
