/* SPDX-License-Identifier: ISC */
/*
 * envwipe.h -- takes a variable with a secret out of the environment, wherever that is.
 *
 * Process:  s3backerd, uploader.  Threads: before there are any.
 * Why:      unsetenv(3) leaves the bytes where they are; and there are two places: what the kernel put
 *           on the stack, which /proc/PID/environ shows for the life of the process, and the copy that
 *           setproctitle(3) makes of it at the start.
 */
#ifndef S3B_COMMON_ENVWIPE_H
#define S3B_COMMON_ENVWIPE_H

/* Wiped and unset; nothing happens if it is not there. */
void	env_wipe(const char *name);

#endif
