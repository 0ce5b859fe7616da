/* SPDX-License-Identifier: ISC */
/*
 * shm.h -- the one shared segment: a sealed memfd, its header, and the areas in it.
 *
 * Process:  s3backerd creates it, every role attaches it.
 * Threads:  create/attach/detach before threads start; the accessors are pure.
 * Owns:     struct shm owns the mapping; everything handed out is borrowed from it.
 * Errors:   0 or -errno.  -EPROTO: not our segment, another version, or a geometry that does not
 *           fit the file; nothing was mapped.
 *
 * The segment is transient: native endian, rebuilt at every start, never on a disk.  It is sealed
 * against resize, so no peer can make another die of SIGBUS by truncating it.  The geometry is
 * copied to private memory at attach and never read again from the shared copy.
 */
#ifndef S3B_IPC_SHM_H
#define S3B_IPC_SHM_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_LINE	  64	      /* bytes in a cache line; x86-64 and arm64 alike */
#define IPC_MAGIC	  0x53334273u /* "S3Bs" */
#define IPC_VERSION	  4	      /* grows with every change of layout or meaning */
#define IPC_MAX_UPLOADERS 64
#define IPC_HAZ_LINES	  64 /* frontend threads that may touch slots */
#define IPC_HAZ_PER_LINE  16 /* slots one thread may hold at once */
#define IPC_NO_SLOT	  UINT32_MAX
#define IPC_SUB_MAX	  256 /* sub-blocks in a slot, at most */

struct ipc_ring;
struct ipc_bell;
struct proc_slot;
struct ipc_slot;
struct ipc_hazard;
struct ipc_state;
struct counters;

/* What the supervisor decides before anyone attaches.  Sizes in bytes unless named. */
struct shm_geometry {
	uint64_t nblocks;    /* blocks of the disk, 1 .. 2^32 - 1 */
	uint32_t block_size; /* power of two, 512 .. 2^30 */
	uint32_t sub_size;   /* bytes of one sub-block; divides block_size */
	uint32_t nslots;     /* slots of the cache, 1 .. 2^31 - 1 */
	uint32_t nbuckets;   /* hash buckets; power of two */
	uint32_t nuploaders; /* 1 .. IPC_MAX_UPLOADERS */
	uint32_t ring_msgs;  /* messages per ring; power of two */
	uint64_t data_off;   /* where slot 0 begins in the cache file */
};

enum shm_area {
	SHM_PROCS,	/* struct proc_slot, a page for each process */
	SHM_BELLS,	/* struct ipc_bell, likewise */
	SHM_STATE,	/* struct ipc_state: what the disk is doing */
	SHM_COUNTERS,	/* struct counters, a page for each process */
	SHM_HAZARDS,	/* struct ipc_hazard[IPC_HAZ_LINES] */
	SHM_RING_FE_CM, /* frontend -> cachemgr */
	SHM_RING_CM_FE,
	SHM_RING_SUP_CM, /* supervisor -> cachemgr */
	SHM_RING_CM_SUP,
	SHM_RINGS_CM_UP, /* nuploaders rings, cachemgr -> uploader i */
	SHM_RINGS_UP_CM,
	SHM_FUSE_INIT, /* the kernel's INIT request, kept for the next frontend */
	SHM_BUCKETS,   /* _Atomic uint32_t[nbuckets]: slot + 1, 0 = empty */
	SHM_SLOTS,     /* struct ipc_slot[nslots] */
	SHM_VALID,     /* a bit per sub-block, shm_map_words() _Atomic uint64_t words per slot */
	SHM_ZEROMAP,   /* two bits per block, _Atomic uint64_t words */
	SHM_POOL,      /* struct ipc_pool: what the uploaders share */
	SHM_SERVING,   /* struct ipc_serving[IPC_HAZ_LINES] */
	SHM_WRITE_LOG, /* struct ipc_write_log[IPC_HAZ_LINES] */
	SHM_NAREAS
};

struct shm {
	struct shm_geometry geo; /* private copy, validated */
	int fd;			 /* the memfd; owned */
	void *base;		 /* mapping; owned */
	uint64_t size;
	uint64_t off[SHM_NAREAS];
	uint32_t sub_shift, block_shift, nsub;
};

/* Choose what follows from block size, disk size and cache size; checks the ranges. */
int shm_plan(struct shm_geometry *, uint64_t nblocks, uint32_t block_size, uint32_t nslots,
    uint32_t nuploaders, uint32_t max_transfers);
int shm_create(const struct shm_geometry *, struct shm *ret_shm);
int shm_attach(int fd, struct shm *ret_shm); /* takes fd on success */
/*
 * As uploader `proc`: its own rows and rings, cachemgr's bell and what the pool shares may be written,
 * everything else is read-only for good.  Takes and closes fd: ret_shm->fd is -1.
 */
int shm_attach_uploader(int fd, uint32_t proc, struct shm *ret_shm);
void shm_detach(struct shm *);		     /* NULL-safe, idempotent */

/* Process numbers: row in SHM_PROCS, SHM_BELLS and SHM_COUNTERS. */
enum {
	PROC_SUPERVISOR = 0,
	PROC_FRONTEND = 1,
	PROC_CACHEMGR = 2,
	PROC_UPLOADER0 = 3
};
static inline uint32_t
shm_nprocs(const struct shm *s)
{
	return (PROC_UPLOADER0 + s->geo.nuploaders);
}

/* Words of a slot's valid map: a power of two, so none is in two cache lines. */
static inline uint32_t
shm_map_words(uint32_t nsub)
{
	return ((nsub + 63) / 64);
}

static inline void *
shm_area(const struct shm *s, enum shm_area a)
{
	return ((char *)s->base + s->off[a]);
}

struct proc_slot *shm_proc(const struct shm *, uint32_t proc);
struct ipc_bell *shm_bell(const struct shm *, uint32_t proc);
struct counters *shm_counters(const struct shm *, uint32_t proc);
struct ipc_state *shm_state(const struct shm *);
struct ipc_ring *shm_ring(const struct shm *, enum shm_area, uint32_t index);

/* Where a slot's bytes lie in the cache file. */
static inline uint64_t
shm_slot_off(const struct shm *s, uint32_t slot)
{
	return (s->geo.data_off + ((uint64_t)slot << s->block_shift));
}

#endif
