/* SPDX-License-Identifier: ISC */
/*
 * release.h -- the mount token, asked about and released.
 *
 * s3backerctl execs `s3backerd -c FILE mounted-flag` and `... reset-mounted-flag` for it; the second
 * only for a disk that does not run here.  Exit code; all is printed.
 */
#ifndef S3B_SUPERVISOR_RELEASE_H
#define S3B_SUPERVISOR_RELEASE_H

#include <sys/types.h>

struct storetool;
struct super;

int	release_show_token(struct super *);
int	release_token(struct super *);

/* 0: the pid file's lock is free; else who holds it. */
pid_t	release_running_pid(const struct super *);
/* A store tool for the disk of s->conf, which does not run; with its secrets.  One line if not. */
int	release_open_tool(struct super *, struct storetool *, char **ret_error);

#endif
