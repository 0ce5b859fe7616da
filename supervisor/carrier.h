/* SPDX-License-Identifier: ISC */
/*
 * carrier.h -- blocks between stores and memory, many at a time, while no disk runs.
 *
 * Process:  s3backerd, for one command.   Threads: none.
 * How:      a segment of its own and a pool of ordinary uploaders, to which this plays cachemgr.  So
 *           codecs, retries, proofs of what was stored and the lease are those of a running disk.
 * Slots:    the buffer has nslots blocks.  A slot belongs to the request that names it until its
 *           `done`; which slot is used when is the caller's business.
 * Stores:   one, or two (copy): each has uploaders of its own with its own keys.
 * Errors:   0 or -errno and one line in *ret_error.  What becomes of a request is told to `done`.
 */
#ifndef S3B_SUPERVISOR_CARRIER_H
#define S3B_SUPERVISOR_CARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/ring.h"
#include "ipc/shm.h"

struct site;
struct super;

#define CARRIER_UPLOADERS 16
#define CARRIER_STORES	  2

struct carrier_uploader {
	pid_t		    pid;
	int		    sock, bell;
	struct ipc_ring_end to, from;
};

struct carrier_request {
	struct ipc_msg	m;		/* type 0: free */
	unsigned	store;
	bool		sent;		/* no: the lease was over, it waits */
};

struct carrier {
	struct shm	shm;		/* geometry of the disk */
	int		buf_fd;
	uint8_t	       *buf;
	unsigned	nups, share;	/* all, of each store */
	struct carrier_uploader up[CARRIER_UPLOADERS];
	unsigned	nstores;
	const struct super *owner[CARRIER_STORES];
	struct carrier_request *request;	/* [nrequests], by req_id */
	unsigned	nrequests, in_flight;
	unsigned	turn;
	/* DONE of a request, and before it each LISTED of a LIST. */
	void	      (*done)(void *arg, unsigned store, const struct ipc_msg *);
	void	       *arg;
	/* The lease of the one store that is written to; none: no token. */
	const struct super *lessee;
	unsigned	lease_store;
	bool		asking, lost;
	uint64_t	asked_us, lease_retry_us;
};

/*
 * owner[i] has vault, size, geo.block_size; the block sizes are equal, and the disk has as many
 * blocks as the last of them.  writes: the last one is written to, under its token.
 */
int	carrier_open(const struct super *const owner[], unsigned nstores, bool writes, unsigned nslots,
	    struct carrier *ret, char **ret_error);
void	carrier_close(struct carrier *);	/* idempotent; ends what is on its way */

/* false: enough is on its way, wait first.  flags: IPC_F_*. */
bool	carrier_get(struct carrier *, unsigned store, uint64_t block, uint32_t slot);
bool	carrier_put(struct carrier *, unsigned store, uint64_t block, uint32_t slot, uint16_t flags);
bool	carrier_delete(struct carrier *, unsigned store, uint64_t block);
bool	carrier_list(struct carrier *, unsigned store, uint64_t first, uint64_t count, uint16_t flags);

/* Until something has happened, or `deadline`; calls `done`.  -EPIPE: an uploader died. */
int	carrier_wait(struct carrier *, uint64_t deadline_us, char **ret_error);
/* What troubles an uploader at the moment, for the user; "" if nothing. */
void	carrier_words(const struct carrier *, char *buf, unsigned long len);

static inline uint8_t *
carrier_slot(const struct carrier *c, uint32_t slot)
{
	return (c->buf + ((uint64_t)slot << c->shm.block_shift));
}

#endif
