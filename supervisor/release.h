/* SPDX-License-Identifier: ISC */
/*
 * release.h -- the mount token, asked about and released.
 *
 * s3backerctl execs `s3backerd -c FILE mounted-flag` and `... reset-mounted-flag` for it; the second
 * only for a disk that does not run here.  Exit code; all is printed.
 */
#ifndef S3B_SUPERVISOR_RELEASE_H
#define S3B_SUPERVISOR_RELEASE_H

struct super;

int	release_show_token(struct super *);
int	release_token(struct super *);

#endif
