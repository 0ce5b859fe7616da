/* SPDX-License-Identifier: ISC */
/*
 * msg.h -- the one message that travels in every ring, and its types.
 *
 * A message is exactly one cache line.  The requester chooses req_id; the reply echoes it.  A
 * peer's message is copied out of the ring, checked with ipc_msg_check(), counted and dropped when
 * it does not hold; nothing is ever asserted about it.  Chart and meaning: ipc/README.md.
 */
#ifndef S3B_IPC_MSG_H
#define S3B_IPC_MSG_H

#include <stdint.h>

#include "ipc/shm.h"

#define IPC_TYPES(X)                                                                               \
	X(NONE)                                                                                    \
	/* frontend -> cachemgr */                                                                 \
	X(READ)	 /* make off..off+len of block readable: DONE, then look again */                  \
	X(WRITE) /* make off..off+len of block writable by the frontend: DONE */                   \
	X(TRIM)	 /* zero arg blocks from block: DONE when reads see zeros */                       \
	X(FLUSH) /* DONE when promise P4 holds for all that was acknowledged before */             \
	X(DIRTY) /* slot went from clean to dirty; no reply */                                     \
	X(AHEAD) /* a slot with the read-ahead mark was hit; no reply */                           \
	/* supervisor -> cachemgr */                                                               \
	X(SYNC)	 /* upload what is dirty now: DONE when the bucket has it */                       \
	X(DRAIN) /* as SYNC, then write through until RESUME */                                    \
	X(RESUME)                                                                                  \
	X(STOP) /* commit and end; flags KEEP_DIRTY: do not wait for the bucket */                 \
	X(SET)	/* change limit number off to arg */                                               \
	X(DEAD) /* process number off has been buried: release what it held */                     \
	/* cachemgr -> uploader */                                                                 \
	X(GET)	  /* object of block, bytes off..off+len, into slot */                             \
	X(PUT)	  /* slot into the object of block */                                              \
	X(DELETE) /* arg blocks from block; flags MORE: further runs of this req_id follow */      \
	X(LIST)	  /* names of blocks block .. block+arg-1: LISTED*, then DONE */                   \
	X(TOKEN)  /* renew the mount token */                                                      \
	X(CANCEL) /* forget req_id if it has not begun; its DONE comes all the same */             \
	/* replies */                                                                              \
	X(LISTED) /* arg consecutive blocks from block exist */                                    \
	X(DONE)                                                                                    \
	/* supervisor -> cachemgr, cachemgr -> uploader */                                         \
	X(CHECK) /* are the objects of arg blocks from block good? see IPC_CHECK_MAX */

enum ipc_type {
#define X(n) IPC_##n,
	IPC_TYPES(X)
#undef X
	IPC_NTYPES
};

enum {
	/* DELETE: more runs of this request follow; DONE of LIST: there are more names than this page's */
	IPC_F_MORE = 1 << 0,
	IPC_F_ABSENT =
	    1 << 1, /* PUT: the bucket is known to hold nothing there; DONE: it does not */
	IPC_F_ZBASE = 1 << 2,	   /* PUT: sub-blocks that are not valid are zero */
	IPC_F_KEEP_DIRTY = 1 << 3, /* STOP */
	IPC_F_READAHEAD = 1 << 4,  /* GET: nobody waits for it yet */
	IPC_F_ZERO = 1 << 5,	   /* DONE of GET: no object, the block is zero; of PUT: deleted */
	IPC_F_HASCRC = 1 << 6,	   /* DONE: arg is the CRC-32 of the whole block */
	IPC_F_ETAG = 1 << 7,	   /* LIST: one LISTED for each block, with its ETag */
	IPC_F_PRESENT = 1 << 8,	   /* GET: the bucket is known to hold this object */
	/*
	 * PUT, DELETE: an earlier one, of an uploader that died, may yet have its effect: DONE only
	 * when it cannot any more and ours has the last word.  DONE: that is so of this one.
	 */
	IPC_F_VERIFY = 1 << 9,
	IPC_F_REPAIR = 1 << 10, /* CHECK to cachemgr: put good copies of the cache over bad objects */
	/* GET: more than off..off+len may be fetched; DONE says what has been.  LIST: one page */
	IPC_F_PART = 1 << 11,
	IPC_F_ALL = (1 << 12) - 1
};

/* How long what a dead uploader had sent may take to have its effect: an assumption about stores. */
#define IPC_LANDING_US UINT64_C(2000000)

/*
 * CHECK to cachemgr: up to IPC_CHECK_MAX blocks.  DONE: bit i of arg says that the object of block + i is
 * bad, of the first half of etag that it is missing, of the second that it was repaired; off is the
 * number of objects read.  To an uploader, of one block that has an object: DONE 0, -EBADMSG or -ENOENT.
 */
#define IPC_CHECK_MAX 64

struct ipc_msg {	      /* exactly one cache line; transient, native endian */
	uint64_t req_id;      /* chosen by the requester, echoed in replies */
	uint64_t block;	      /* block number */
	uint64_t arg;	      /* count, value or CRC: see the type */
	uint32_t slot;	      /* slot index, IPC_NO_SLOT if none */
	uint32_t slot_gen;    /* generation the sender saw */
	uint32_t off, len;    /* bytes within the block */
	uint16_t type, flags; /* enum ipc_type, IPC_F_* */
	int32_t status;	      /* 0 or -errno; replies only */
	uint8_t etag[16];     /* first 16 bytes of the ETag; DONE of GET and PUT; zero if none */
};
_Static_assert(sizeof(struct ipc_msg) == IPC_LINE, "one line");

const char *ipc_type_name(unsigned type);
/* Does a copied-out message hold together for this disk?  0 or -EPROTO. */
int ipc_msg_check(const struct shm *, const struct ipc_msg *);

#endif
