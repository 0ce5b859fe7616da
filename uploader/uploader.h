/* SPDX-License-Identifier: ISC */
/*
 * uploader.h -- one uploader process: what its parts share.
 *
 * Process:  uploader.  Threads: main thread only; jobs.h and store_dir.c have threads inside.
 *
 *	main.c		start, the loop, the end
 *	peer.c		messages from and to cachemgr
 *	transfer.c	GET and PUT: states, retries, the proof after an unknown outcome
 *	hedge.c		a second GET for one that takes too long
 *	deletion.c	DELETE: runs of blocks, in bulk or one by one
 *	listing.c	LIST
 *	renewal.c	TOKEN
 *	tool.c		the store tool: commands instead of messages
 *
 * Every request of cachemgr gets exactly one DONE, whatever happens.
 */
#ifndef S3B_UPLOADER_UPLOADER_H
#define S3B_UPLOADER_UPLOADER_H

#include <bsd/sys/queue.h>

#include "common/role.h"
#include "ipc/msg.h"
#include "ipc/pool.h"
#include "ipc/ring.h"
#include "ipc/slot_table.h"
#include "uploader/hedge.h"
#include "uploader/loop.h"
#include "uploader/retry.h"
#include "uploader/store.h"

struct codec;
struct cred_reader;
struct jobs;

/* What requests of every kind have in common.  First member of each. */
struct work {
	TAILQ_ENTRY(work) link;
	struct uploader *up;
	struct ipc_msg	 msg;		/* the request as it came */
	uint64_t	 begun_us;
	struct retry	 retry;
	struct timer	 timer;		/* a pause */
	bool		 pausing;	/* nothing of it is in flight */
	bool		 probe;		/* it is out to see whether the store is back */
	bool		 unknown;	/* an attempt's outcome is not known */
	uint64_t	 land_us;	/* until then a cut-off attempt may yet have its effect */
	void	       (*attempt)(struct work *);	/* after a pause */
	void	       (*ended)(struct work *);		/* frees it */
};
TAILQ_HEAD(work_list, work);

/* How requests of one way (ipc/pool.h) fare. */
struct way {
	struct ipc_outage *outage;	/* of the whole pool */
	uint32_t outages_seen;
	int	 last_error;	/* of the last failure, for who never got to try */
	bool	 failing;	/* the last outcomes were failures: the store may be away */
};

struct uploader {
	struct role_env	   *env;
	struct loop	    loop;
	struct jobs	   *jobs;
	struct codec	   *codec;
	struct cred_reader *reader;
	struct store	   *store;
	struct slot_table   slots;
	struct slot_cache   cache;
	struct ipc_ring_end from_cm, to_cm;
	int		    bell_fd;
	struct work_list    work;
	unsigned	    nwork, nputs;
	int		    nice;	/* with which we were started */
	struct work	   *deleting;	/* a DELETE whose runs are still coming */
	struct ipc_msg	   *outbox;	/* replies that did not fit into the ring */
	size_t		    out_first, out_n, out_room;
	bool		    ring_cm;	/* something was pushed in this turn */
	struct retry_policy get_policy, change_policy, token_policy;
	struct way	    way[POOL_WAYS];
	struct hedge_stats  hedges;
	uint64_t	    settle_us;	/* how long a cut-off PUT may take to land */
	bool		    leaving;
	bool		    stale;	   /* leaving, because files were replaced (confine.h) */
	uint64_t	    stale_look_us; /* when to look for that again */
	bool		    bulk_refused;
	char		    token_etag[80]; /* of the token as we last wrote or read it */
	bool		    bare_if_match; /* renewal.c */
};

/* ---- peer.c ------------------------------------------------------------------------------- */
int	peer_open(struct uploader *);
int	peer_receive(struct uploader *, int max);	/* returns how many messages */
void	peer_flush(struct uploader *);			/* outbox to ring, ring the bell */
bool	peer_backed_up(const struct uploader *);	/* cachemgr does not keep up with our replies */
void	peer_send(struct uploader *, const struct ipc_msg *);

/* ---- priority.c --------------------------------------------------------------------------- */
void	priority_open(struct uploader *);	/* before there are threads and privileges are gone */
void	priority_puts(struct uploader *, int change);	/* so many more PUTs are going on */

/* ---- transfer.c --------------------------------------------------------------------------- */
void	transfer_begin(struct uploader *, const struct ipc_msg *);	/* GET, PUT */

/* ---- work.c: common to all kinds ----------------------------------------------------------- */
void	work_init(struct uploader *, struct work *, const struct ipc_msg *);
/* The first attempt: now, or in an outage when its turn comes. */
void	work_begin(struct work *, void (*attempt)(struct work *));
/* An attempt failed: pause and call attempt() again, or end it.  Counts and logs. */
void	work_failed(struct work *, const struct store_reply *);
/* An attempt succeeded: the budget, and the others that are waiting for the store. */
void	work_succeeded(struct work *);
/* The one DONE; frees the work. */
void	work_done(struct work *, int status, uint16_t flags, uint64_t arg, const char *etag);
/* Has another uploader found that the store is back? */
void	work_look_around(struct uploader *);
void	work_leave(struct uploader *);	/* end what is pausing */
void	work_cancel(struct uploader *, uint64_t req_id);
/* Wait until nothing that was cut off can land any more; false: nothing to wait for. */
bool	work_settle(struct work *, void (*then)(struct work *));
/* May a request that changes the bucket leave?  If not, it gets its DONE, EAGAIN. */
bool	work_fenced(struct work *);

/* ---- deletion.c, listing.c ----------------------------------------------------------------- */
void	deletion_message(struct uploader *, const struct ipc_msg *);
void	listing_begin(struct uploader *, const struct ipc_msg *);

/* ---- renewal.c ---------------------------------------------------------------------------- */
void	renewal_begin(struct uploader *, const struct ipc_msg *);

/* ---- tool.c -------------------------------------------------------------------------------- */
int	tool_main(struct role_env *);

#endif
