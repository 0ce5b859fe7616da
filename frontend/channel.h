/* SPDX-License-Identifier: ISC */
/*
 * channel.h -- what the frontend says to cachemgr, and the answers.
 *
 * Process:  frontend.
 * Threads:  channel_tell() and channel_ask() from any; the rest from the completion thread alone.
 * Owns:     the ends of both rings, and a ticket for every question that has no answer yet.
 * Errors:   none.  What does not fit into the ring waits here, in order, and is sent later.
 *
 * A question is kept until its answer comes, and asked again when cachemgr has been replaced.  No
 * more than half the ring may be unanswered, so the answers always fit into the ring back.
 *
 * An announcement (DIRTY, AHEAD) has no answer.  A lost DIRTY is found by the slot's wseq; a lost
 * AHEAD does not matter.  No question overtakes an announcement made before it: what FLUSH promises
 * depends on that.
 */
#ifndef S3B_FRONTEND_CHANNEL_H
#define S3B_FRONTEND_CHANNEL_H

#include <bsd/sys/queue.h>
#include <stdint.h>

#include "ipc/msg.h"

struct channel;
struct volume;

struct outmsg {			/* a question, inside whatever asks it */
	STAILQ_ENTRY(outmsg) link; /* channel's, while it waits */
	struct ipc_msg	     msg;  /* asker's; channel sets req_id */
};

int	 channel_open(struct volume *, struct channel **ret_channel);
void	 channel_close(struct channel **);

void	 channel_tell(struct channel *, enum ipc_type, uint64_t block, uint32_t slot, uint32_t gen,
    uint64_t arg);
void	 channel_ask(struct channel *, struct outmsg *);

/*
 * Takes up to `max` answers, calling `answered` for each without a lock held: it may ask again.
 * Returns how many there were.
 */
unsigned channel_drain(struct channel *, unsigned max,
    void (*answered)(struct outmsg *, int status, void *arg), void *arg);
/* Sends what waits; asks again after a change of cachemgr.  Returns when to call it next. */
uint64_t channel_tend(struct channel *, uint64_t now);
unsigned channel_unanswered(struct channel *);

#endif
