/* SPDX-License-Identifier: ISC */
/*
 * disk.h -- the life of a disk, from the first question to the store to the last file removed.
 */
#ifndef S3B_SUPERVISOR_DISK_H
#define S3B_SUPERVISOR_DISK_H

struct super;

/* Asks the store, makes the segment, runs the loop.  0, or -errno with super_fail() called. */
int	disk_run(struct super *);
/* Undoes whatever was begun, token included; safe after any failure.  Tells who waits. */
void	disk_end(struct super *);

#endif
