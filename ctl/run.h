/* SPDX-License-Identifier: ISC */
/*
 * run.h -- the tools of util-linux and of the file systems: blkid, mkfs.*, mount.
 *
 * Process:  s3backerctl.   Threads: one.   Errors: -errno when it cannot be started.
 * Never a shell: arguments are a vector, so no name of a file can become a command.
 */
#ifndef S3B_CTL_RUN_H
#define S3B_CTL_RUN_H

#include <stddef.h>

/* Exit code of the program (128 + N: it died of signal N).  Its stdout is in buf, NUL-terminated. */
int	run_capture(const char *const argv[], char *buf, size_t len);
/* The same, with its stdout as our stderr: for what reports on its work. */
int	run_show(const char *const argv[]);

#endif
