/* SPDX-License-Identifier: ISC */
/*
 * release.h -- what is done to a disk that does not run: releasing its mount token.
 *
 * s3backerctl execs `s3backerd -c FILE reset-mounted-flag` for it.  Exit code; all is printed.
 */
#ifndef S3B_SUPERVISOR_RELEASE_H
#define S3B_SUPERVISOR_RELEASE_H

struct super;

int	release_token(struct super *);

#endif
