/* SPDX-License-Identifier: ISC */
/*
 * haul.h -- a whole disk from one place to another: export, import, copy.
 *
 * Process:  s3backerd, typed by a user or exec'd by s3backerctl.   Threads: none.
 *
 *	export	store -> image		blocks that do not exist become holes
 *	import	image -> store		zeros are not uploaded; what was there before goes away
 *	copy	store -> store		decoded and encoded anew, because keys depend on names
 *
 * The work is a comparison: what is there (a listing with ETags) against what was carried already
 * (marks, two ETags for each block, in a progress file).  So an interrupted command goes on where it
 * was, and one whose source changed carries the difference; it ends when a last listing shows
 * nothing new.
 *
 *  U1 What is written to is locked, here by the pid file and elsewhere by the mount token; what is
 *     read only must not be mounted when the work begins and when it ends.
 *  U2 A mark is written when what it speaks of is durable: the image was synced, or the store has
 *     acknowledged the block.
 *  U3 Nothing that holds data is overwritten without --force, but for what this very work has left.
 */
#ifndef S3B_SUPERVISOR_HAUL_H
#define S3B_SUPERVISOR_HAUL_H

struct super;

/* Exit codes.  opt.args[0] is the image, or the configuration of the other disk. */
int	haul_export(struct super *);
int	haul_import(struct super *);
int	haul_copy(struct super *);

#endif
