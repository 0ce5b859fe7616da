/* SPDX-License-Identifier: ISC */
/*
 * command.h -- requests to cachemgr over the ring, each kept until its DONE.
 *
 * A successor of cachemgr knows nothing of what its predecessor had read from the ring; so what is
 * unanswered is sent again when it says READY.  All our commands bear being done twice.
 */
#ifndef S3B_SUPERVISOR_COMMAND_H
#define S3B_SUPERVISOR_COMMAND_H

#include <stdbool.h>

#include "ipc/msg.h"

struct client;
struct super;

int	command_attach(struct super *);	/* to the rings, once the segment is there */
/*
 * Sends or queues; done() is called once with the status of the DONE, never from in here.  req_id
 * is filled in.  done NULL: nobody waits.
 */
int	command_send(struct super *, struct ipc_msg, void (*done)(struct super *, void *, int), void *);
/* One that our predecessor had sent, or not yet; `client` may be NULL. */
int	command_adopt(struct super *, struct ipc_msg, bool sent, struct client *);
/* Whoever waited is gone: its answer will be dropped. */
void	command_forget(struct super *, const void *arg);
void	command_replies(struct super *);	/* our bell was rung */
void	command_resend(struct super *);		/* cachemgr has begun anew */
void	command_drop_all(struct super *);	/* at the end: no callbacks */

#endif
