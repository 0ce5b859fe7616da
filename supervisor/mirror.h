/* SPDX-License-Identifier: ISC */
/*
 * mirror.h -- statsFileMirror: the figures, copied to a regular file now and then.
 *
 * The copy is written by a child, one at a time: the file may lie on the disk itself, on a file system
 * on top of it, and s3backerd must not wait for that (helper.h).  A temporary file is renamed into
 * place, so a reader finds a whole one.  Deleting the file sets the figures in it back to zero.
 */
#ifndef S3B_SUPERVISOR_MIRROR_H
#define S3B_SUPERVISOR_MIRROR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct super;

uint64_t mirror_timers(struct super *, uint64_t now);
/* Was it the child that writes? */
bool	mirror_died(struct super *, pid_t, int wait_status);
void	mirror_close(struct super *);

#endif
