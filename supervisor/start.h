/* SPDX-License-Identifier: ISC */
/*
 * start.h -- `s3backerd start`: all checks that need nobody, the way into the background, and the
 * word to whoever typed it.
 *
 * The parent waits on a pipe until the disk's file has been read, or until everything that was
 * begun has been undone; so when it returns 1, nothing is mounted or running.
 */
#ifndef S3B_SUPERVISOR_START_H
#define S3B_SUPERVISOR_START_H

struct super;

/* Everything from the checks to the end of the disk (-f) or of the parent.  Exit code. */
int	start_disk(struct super *);

/* Keys and password, asked for on a terminal if need be.  Errors with super_fail(). */
int	start_read_secrets(struct super *);

void	start_report_success(struct super *);
/* A line for the user on the way, in both forms of start. */
void	start_report_note(struct super *, const char *text);

#endif
