/* SPDX-License-Identifier: ISC */
/*
 * info.h -- what is in a bucket: sizes, how it is stored, how much there is, who has it mounted.
 *
 * Process:  s3backerd, typed by a user or exec'd by s3backerctl.   Threads: none.
 * Changes nothing, locks nothing, works on a disk that is mounted here or elsewhere, and on those of
 * the old program.  Whether object names begin with a hash is found out.
 */
#ifndef S3B_SUPERVISOR_INFO_H
#define S3B_SUPERVISOR_INFO_H

struct super;

int	info_disk(struct super *);	/* exit code */

#endif
