/* SPDX-License-Identifier: ISC */
/*
 * ring.h -- a bounded single-producer single-consumer ring of messages in shared memory.
 *
 * Threads:  one producer and one consumer at a time.  A process with several producing threads puts
 *           a private lock around ipc_ring_push(); nothing shared is ever locked.
 * Owns:     nothing; the ring lives in the segment, struct ipc_ring_end is the private view.
 * Errors:   -EAGAIN: full (push) or empty (pop).  -EPROTO: the peer's index is impossible; the
 *           caller counts it and drops the peer.
 *
 * Indices run free and are masked on use (Lamport 1983, "Specifying Concurrent Program Modules").
 * Death: a producer that dies before it stores tail has sent nothing; a consumer that dies after it
 * stored head has the message, and what it meant to do with it is lost with it, which is why every
 * requester keeps its request until the DONE arrives and sends it again to a successor.
 */
#ifndef S3B_IPC_RING_H
#define S3B_IPC_RING_H

#include "ipc/msg.h"
#include "ipc/shm.h"

struct ipc_ring {				 /*  off  written by                  */
	uint32_t magic;				 /*    0  supervisor, at creation     */
	uint16_t version, msg_size;		 /*    4  supervisor                  */
	uint32_t nmsg;				 /*    8  supervisor; power of 2      */
	uint32_t pad0;				 /*   12                              */
	alignas(IPC_LINE) _Atomic uint32_t tail; /*  64  producer only               */
	_Atomic uint32_t waiting;		 /*   68  producer: "I sleep on head" */
	alignas(IPC_LINE) _Atomic uint32_t head; /* 128  consumer only               */
	alignas(IPC_LINE) struct ipc_msg msg[];	 /*  192  producer only               */
};
_Static_assert(offsetof(struct ipc_ring, msg) == 192, "layout v1");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "atomics across processes");

struct ipc_ring_end {
	struct ipc_ring *ring;
	uint32_t nmsg; /* private copy */
	uint32_t peer; /* last index seen of the other side: spares its cache line */
};

uint64_t ipc_ring_bytes(uint32_t nmsg);
void ipc_ring_init(struct ipc_ring *, uint32_t nmsg);
int ipc_ring_attach(struct ipc_ring *, uint32_t want_nmsg, struct ipc_ring_end *ret_end);

int ipc_ring_push(struct ipc_ring_end *, const struct ipc_msg *);
/* As push, but sleeps while the ring is full; only for a consumer that never waits for us. */
int ipc_ring_push_wait(struct ipc_ring_end *, const struct ipc_msg *);
int ipc_ring_pop(struct ipc_ring_end *, struct ipc_msg *ret_msg);
uint32_t ipc_ring_used(const struct ipc_ring_end *);
/* Consumer, when the producer is dead and buried: what is left, and an index that cannot be, are no more. */
void ipc_ring_skip_dead(struct ipc_ring_end *);
/* Producer, when the consumer is dead and buried: take back what it had not consumed. */
void ipc_ring_reset_dead(struct ipc_ring_end *);

#endif
