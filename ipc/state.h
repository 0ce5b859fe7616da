/* SPDX-License-Identifier: ISC */
/*
 * state.h -- what the disk is doing, for everyone to see: one page in the segment.
 *
 * Transient.  Writers are named per group; every field is read by anyone, so each is atomic and
 * stands alone: no field is only right together with another.
 */
#ifndef S3B_IPC_STATE_H
#define S3B_IPC_STATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum disk_state {
	DISK_STARTING,
	DISK_RUNNING,
	DISK_DRAINING,
	DISK_DRAINED,
	DISK_DEGRADED,
	DISK_FENCED,
	DISK_STOPPING
};

/* What keeps a second machine away; printed by their names in status. */
enum { FENCE_NONE, FENCE_WEAK, FENCE_STRONG };

struct ipc_state {
	/* supervisor */
	alignas(64) _Atomic uint32_t disk_state; /* enum disk_state; cachemgr once it runs */
	_Atomic uint32_t fence;			 /* FENCE_ */
	_Atomic uint32_t token;			 /* ours in the bucket, 0 = none */
	_Atomic uint32_t read_only;
	_Atomic uint32_t flush_to_bucket; /* what FLUSH waits for */
	_Atomic uint32_t stopping;	  /* 1: roles finish and leave */
	_Atomic uint64_t started_us;	  /* monotonic */
	_Atomic uint64_t linger_us;	  /* how long roles outlive s3backerd: another may come */
	_Atomic uint64_t lease_from;	  /* CLOCK_BOOTTIME us; a confirmation before is none */

	/* cachemgr: the throttle the frontend obeys */
	alignas(64) _Atomic uint64_t write_rate; /* bytes/s for all writers, 0 = no limit */
	/* cachemgr: the lease; CLOCK_BOOTTIME us until which we may write, 0 = no lease is kept */
	_Atomic uint64_t token_until;
	_Atomic uint32_t fenced;     /* 1: the token is somebody else's; nothing is written any more */
	/* 1: a clean slot may not become dirty by a hit; one per writer can, before this is seen */
	_Atomic uint32_t dirty_full;
	_Atomic uint32_t write_through;		 /* 1: drained; a write waits for the bucket */
	_Atomic uint32_t cache_broken;		 /* 1: it cannot be committed to; 2: and says so */
	_Atomic uint32_t notes_lost; /* commits that found notes of the write log lost */

	/* cachemgr: figures */
	alignas(64) _Atomic uint64_t used_slots;
	_Atomic uint64_t dirty_blocks;	  /* slots that differ from the bucket */
	_Atomic uint64_t pending_deletes; /* trimmed blocks whose object may still exist */
	_Atomic uint64_t oldest_dirty_us; /* monotonic; 0 = nothing is dirty */
	_Atomic uint64_t upload_rate;	  /* bytes/s, smoothed */
	_Atomic uint64_t local_seq;	  /* writes acknowledged before the last commit began */
	_Atomic uint64_t bucket_seq;	  /* writes all of which the bucket holds */
	_Atomic uint64_t
	    survey_next;	    /* blocks below it have been listed: UNKNOWN there is ABSENT */
	_Atomic uint64_t in_flight; /* transfers handed to uploaders */

	/* frontend */
	alignas(64) _Atomic uint64_t acked_seq; /* writes, trims acknowledged */
	_Atomic uint64_t fuse_init_len;		/* bytes of SHM_FUSE_INIT that are valid */
	_Atomic uint32_t fe_waiting;		/* questions to cachemgr without an answer */

	/* supervisor, then cachemgr: first 16 bytes of the token object's ETag; zero = not known */
	alignas(64) _Atomic uint64_t token_etag[2];
	/*
	 * supervisor: 1: changes in a cache file of another mount of this disk may be uploaded: the
	 * user said so.  Without it such a file is refused.
	 */
	_Atomic uint32_t dirty_welcome;
	/*
	 * supervisor, then cachemgr: 1: the disk did not end well before; its requests may still be
	 * on their way to the store.
	 */
	_Atomic uint32_t unclean;
	_Atomic uint64_t present_blocks; /* cachemgr: blocks that the bucket may hold, ZERO_PRESENT */
	uint64_t pad[4];
	/* supervisor: body of the token object, for renewals; NUL-terminated */
	char token_body[512];

	/* cachemgr: why the state is degraded; NUL-terminated, replaced whole */
	alignas(64) char why[256];
};
_Static_assert(sizeof(struct ipc_state) == 64 * 18, "layout v1");

const char *disk_state_name(unsigned);

/*
 * 1 while a thread of the frontend is at work on a request of the kernel's: one line per thread, stored by
 * it alone.  A frontend that stands still with such a request holds its user up, and nothing else may show
 * it: other users may be waiting for that one in the kernel.
 */
struct ipc_serving {
	alignas(64) _Atomic uint32_t request;
};

#endif
