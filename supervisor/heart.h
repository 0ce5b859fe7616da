/* SPDX-License-Identifier: ISC */
/*
 * heart.h -- do the roles move?  And what is wrong with them, in one line.
 *
 *  E1 Every role that is awake comes round its main loop at least once a second.  One that does not
 *     for HUNG_US is reported, once; it may be in a debugger, or on a disk that needs its time.
 *  E2 One that does not for twice that, while somebody waits for it, is killed: its death costs less
 *     than the wait.  After deaths in a row the patience grows, as the pause before a start does.
 *  E3 Time counts only while we look: if this program stood still as well, nobody is to blame.
 */
#ifndef S3B_SUPERVISOR_HEART_H
#define S3B_SUPERVISOR_HEART_H

#include <stddef.h>
#include <stdint.h>

struct role;
struct super;

/* At least once a second for each role that runs or starts; kills what hangs (E2). */
void	heart_look(struct super *, struct role *, uint64_t now);
/* Why the disk is worse off than it should be; NULL: it is not. */
const char *heart_degraded(const struct super *, char *buf, size_t len);

#endif
