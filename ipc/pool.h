/* SPDX-License-Identifier: ISC */
/*
 * pool.h -- what the uploaders share: bandwidth limits, and what is known about outages.
 *
 * Transient.  Any uploader may write any of it at any time and may die in between, so each word is
 * right by itself and is changed by compare-and-swap; what a dead uploader had taken comes back by
 * the passing of time alone.  How they are used: uploader/bandwidth.h, uploader/retry.h.
 * Units: CLOCK_MONOTONIC, which all processes of a machine share.
 */
#ifndef S3B_IPC_POOL_H
#define S3B_IPC_POOL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

struct shm;

struct ipc_limit {			/* of one direction */
	_Atomic uint64_t bps;	  /* s3backerd: bits per second; 0: no limit */
	_Atomic uint64_t free_ns; /* until then the line is busy with what was granted */
};

/*
 * A store that takes no changes (full, read-only, a policy, a line that is slow one way) may well serve
 * reads, so either way has an outage of its own.
 */
enum { POOL_READS, POOL_CHANGES, POOL_WAYS };

struct ipc_outage {			/* of one way */
	_Atomic uint64_t retry_us; /* until then the budget of retries is spent */
	_Atomic uint64_t first_us; /* the first failure since the last success; 0: none */
	_Atomic uint64_t probe_us; /* not before may the next probe leave */
	_Atomic uint32_t row;	   /* failures since the last success */
	_Atomic uint32_t on;	   /* 1: an outage; only probes leave */
	_Atomic uint32_t ended;	   /* how many outages have ended: who sleeps for long wakes up */
};

struct ipc_pool {
	alignas(64) struct ipc_limit up;
	alignas(64) struct ipc_limit down;
	struct {
		alignas(64) struct ipc_outage outage;
	} way[POOL_WAYS];
};
_Static_assert(sizeof(struct ipc_pool) == 64 * 4, "layout v3");

struct ipc_pool *shm_pool(const struct shm *);

#endif
