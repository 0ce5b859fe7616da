/* SPDX-License-Identifier: ISC */
/*
 * commit.h -- group commit of the cache file (promise P4, rules D1 to D8).
 *
 * Threads:  everything here from the leading one (lead.h), but commit_run(), which does the I/O of one batch
 *           at a time and must not hold the others up.  While it runs, nobody else touches struct batch_job.
 * Source:   group commit: DeWitt et al. 1984, "Implementation Techniques for Main Memory Database
 *           Systems".
 *
 * A flush that comes while a batch is being written joins the next one, with all others that wait.
 */
#ifndef S3B_CACHEMGR_COMMIT_H
#define S3B_CACHEMGR_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

struct cachemgr;
struct barrier;
struct bop;
struct cachefile;

/* Reads the journal.  `fresh` segment: what it holds is taken into the slot table. */
int commit_open(struct cachemgr *, const struct cachefile *, bool fresh_segment);
void commit_collect(struct cachemgr *); /* once per turn of the loop, first */
void commit_turn(struct cachemgr *);	/* and last */
bool commit_take_job(struct cachemgr *); /* true: the caller must commit_run() */
void commit_run(struct cachemgr *);	 /* writes, and answers the frontend's flushes */

void commit_flush(struct cachemgr *, uint64_t req_id); /* frontend's FLUSH: replies by itself */
void commit_cache_fault(struct cachemgr *, int error); /* the cache file failed us: no commits then */
void commit_bucket_holds(struct cachemgr *, const struct barrier *); /* replies by itself */
void commit_final(struct cachemgr *, uint64_t req_id); /* supervisor's STOP: replies by itself */
/* OLD slots that wait for a commit, as bits in seen[slot]; linked ones of the batch are not. */
void commit_visit_held(struct cachemgr *, uint8_t *seen, uint8_t bit);
bool commit_busy(struct cachemgr *);	  /* a batch is on its way, or the final one is to come */
void commit_wanted(struct cachemgr *);	  /* slots wait for their record */
void commit_forget_fe(struct cachemgr *); /* the frontend died: its flushes with it */

void commit_note_dirty(struct cachemgr *, struct bop *);
void commit_note_clean(struct cachemgr *, uint32_t slot);
void commit_note_zero(struct cachemgr *, uint32_t block, uint32_t count, bool pending);
/*
 * A slot's block was trimmed.  Its record must end in the same batch that says PENDING, even if an
 * upload holds the slot still: recovery takes a dirty slot for newer than a pending delete.
 */
void commit_note_dropped(struct cachemgr *, uint32_t slot);
/* An OLD slot is to be freed.  True: its durable record says dirty; it comes back when that ends.
 */
bool commit_hold_slot(struct cachemgr *, uint32_t slot);

#endif
