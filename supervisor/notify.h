/* SPDX-License-Identifier: ISC */
/*
 * notify.h -- what systemd is told: sd_notify(3) and the file-descriptor store, without its library.
 *
 * Nothing happens unless NOTIFY_SOCKET is set.  Messages are single datagrams; one that cannot be sent
 * is lost, because nothing here may wait.
 *
 * From the moment the disk is ready until its mount is gone, the descriptors of `struct handed` and
 * the letter (letter.h) lie in the store.  So long the roles outlive a death of this program for
 * LINGER_US, and the next start goes on with the disk (inherit.h).
 */
#ifndef S3B_SUPERVISOR_NOTIFY_H
#define S3B_SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct super;

#define NOTIFY_FD_PREFIX "s3backer-"	/* of names in the store */

bool	notify_wanted(void);		/* does anybody listen? */
void	notify_ready(struct super *);	/* the disk can be used */
void	notify_keep(struct super *);	/* descriptors into the store */
void	notify_drop(struct super *);	/* and out of it: the mount is gone */
/* Status, more time where we need it, the watchdog. */
uint64_t notify_timers(struct super *, uint64_t now);

#endif
