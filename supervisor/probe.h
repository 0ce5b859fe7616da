/* SPDX-License-Identifier: ISC */
/*
 * probe.h -- what a store can do, how fast, and what to configure for it: `s3backerctl probe`.
 *
 * Tried with objects of its own under the disk's prefix, by a store tool; whether the disk runs does
 * not matter, and no object of it is read or written.
 */
#ifndef S3B_SUPERVISOR_PROBE_H
#define S3B_SUPERVISOR_PROBE_H

struct super;

int	probe_store(struct super *);	/* the exit code */

#endif
