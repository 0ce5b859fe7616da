/* SPDX-License-Identifier: ISC */
/*
 * commit_impl.h -- what commit.c (when) and batch.c (what) share.  Nobody else includes it.
 */
#ifndef S3B_CACHEMGR_COMMIT_IMPL_H
#define S3B_CACHEMGR_COMMIT_IMPL_H

#include <bsd/sys/queue.h>
#include <stdatomic.h>

#include "cachemgr/cachefile.h"
#include "cachemgr/cm.h"
#include "cachemgr/checkpoint.h"
#include "cachemgr/journal.h"
#include "cachemgr/wrote.h"

/* A sector of the disk as it is inside: no batch shares one with another. */
#define DIRECT_ALIGN 4096u
#define FLUSH_NOBODY UINT64_MAX /* request number of a flush that we ask ourselves for */

struct flush_waiter {
	STAILQ_ENTRY(flush_waiter) link;
	uint64_t req_id;
	uint16_t type; /* IPC_FLUSH of the frontend; IPC_SYNC, IPC_DRAIN of s3backerd */
};
STAILQ_HEAD(flush_list, flush_waiter);

struct slot_list { /* grows as needed */
	uint32_t *slot;
	uint32_t n, cap;
};

enum {
	REC_DIRTY = 1,	/* a durable record, or one on its way, says dirty */
	REC_ENDING = 2, /* the batch on its way ends that */
	REC_AGAIN = 4	/* and says dirty again, for what was written since */
};

struct zero_note {
	uint32_t block, count;
	bool pending;
};

/* One batch on its way to the disk.  The leader fills it, another runs it, the leader takes it back. */
struct batch_job {
	struct journal_batch batch;
	bool has_batch;	 /* else nothing changed: an fdatasync alone */
	bool sync_first; /* names bytes that are not in it: they go first (D1, D6) */
	uint64_t at;	 /* offset in the file */
	int result;
	unsigned syncs;
	uint64_t *reply; /* the frontend's questions that it answers; nreply: under cm.fe_lock */
	uint32_t nreply, reply_cap;
	bool answered; /* it has */
	bool void_file; /* instead of all that: the superblock, see void.c */
	uint64_t took_us;
};

struct commit {
	struct cachefile file;
	uint64_t half_bytes;
	struct journal_pos pos;
	_Atomic int done;    /* runner: the job is finished */
	_Atomic int awaited; /* leader: ring for it */
	bool busy;	     /* there is a job */
	bool to_run;	     /* and nobody runs it yet */
	bool broken;	  /* a commit failed, and none follows: void.c */
	bool voided;	  /* and the file says that nothing in it counts */
	int error;	  /* with which it failed */
	uint64_t void_retry_us;
	uint64_t void_from; /* number of the first barrier made after it failed */
	struct batch_job job;

	struct wrote wrote; /* what the frontend noted since the last batch */
	struct checkpoint checkpoint;
	uint64_t settled;	/* DATA up to this batch is in the slots, durably */
	uint64_t marked;	/* as far as the journal says so */
	uint64_t data_sequence; /* of the last batch with DATA */
	uint64_t data_bytes, settled_bytes; /* of all DATA so far; of what is settled */
	uint8_t *rec_dirty;	   /* per slot: REC_*; 0: no record says dirty */
	struct slot_list freeing;  /* in the batch on its way: free when it is durable */
	struct slot_list ending;   /* in the batch on its way: not dirty on record after it */
	struct slot_list to_free;  /* OLD slots for the next batch */
	struct slot_list to_drop;  /* trimmed while still in use */
	struct slot_list to_clean; /* linked slots the bucket holds now */
	struct zero_note *zero;
	uint32_t nzero, zero_cap;
	struct flush_list waiting, committing;
	struct flush_list held; /* broken: the bucket has what they wait for, the file must be void */
	bool wanted;
	bool afresh; /* the journal is our predecessor's: the next batch is a snapshot */
	bool final, final_running;
	uint64_t final_req;
	uint64_t acked; /* state.acked_seq when the batch on its way was built */
};

int commit_write(struct commit *, struct batch_job *);
void commit_start_job(struct commit *);
void commit_answer(struct cachemgr *, struct flush_list *, int status);
int void_write(struct cachemgr *); /* in the thread */
void void_finish(struct cachemgr *);
void void_announce(struct cachemgr *);
void void_turn(struct cachemgr *);
bool slot_list_add(struct slot_list *, uint32_t slot);
/* Collects everything that changed into c->job; false: nothing did. */
int batch_build(struct cachemgr *, struct commit *);

#endif
