/* SPDX-License-Identifier: ISC */
/*
 * erase.h -- a disk out of its bucket: what `s3backerctl erase` starts.
 *
 *  R1 Never of a disk that is mounted, here or elsewhere: the mount token is taken first, as a start
 *     takes it, so nobody can mount it meanwhile either.
 *  R2 Only objects whose names are blocks of this disk, then block 0, then the token.
 *  R3 What was interrupted keeps the token, which is known here as ours: asked again, it goes on.
 */
#ifndef S3B_SUPERVISOR_ERASE_H
#define S3B_SUPERVISOR_ERASE_H

struct super;

int	erase_disk(struct super *);	/* the exit code */

#endif
