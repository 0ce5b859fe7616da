/* SPDX-License-Identifier: ISC */
/*
 * lead.h -- two threads, one of which leads: it takes turns of the loop, and nobody else touches the cache
 * manager's state.
 *
 * A commit's I/O may take long, so who leads must not do it.  But handing it to another thread costs a flush
 * the time in which that one wakes up.  So it is the lead that is handed on: the leader that has begun a
 * commit lets the other thread lead, does the I/O itself, answers the flushes, and is the other one then.
 * There is one commit at a time, so two threads are enough.
 *
 * Source:   leader/followers: D. Schmidt et al. 2000, "Pattern-Oriented Software Architecture 2".
 * A third thread waits for the disk and does nothing else (checkpoint.h).
 *
 * Process:  cachemgr.  Threads: called by main; returns to it, with the other leader ended.
 * Errors:   -errno: no second thread.
 */
#ifndef S3B_CACHEMGR_LEAD_H
#define S3B_CACHEMGR_LEAD_H

struct cachemgr;

/* Until role_stop_requested, or s3backerd is gone. */
int lead(struct cachemgr *);

#endif
