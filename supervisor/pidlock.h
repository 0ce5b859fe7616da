/* SPDX-License-Identifier: ISC */
/*
 * pidlock.h -- the pid file: locked as long as its disk runs.
 *
 * As pidfile_open(3) does it, but the lock is a descriptor, which a successor by exec inherits: there
 * is no moment at which another start could slip in.  Errors: 0 or -errno.
 */
#ifndef S3B_SUPERVISOR_PIDLOCK_H
#define S3B_SUPERVISOR_PIDLOCK_H

#include <sys/types.h>

/*
 * -EEXIST: somebody has it; *ret_other is its pid, 0 if that is not written yet.  One who was killed, or is
 * about to end, has it until it is gone: waits for that, for a second.
 */
int	pidlock_take(const char *path, int *ret_fd, pid_t *ret_other);
int	pidlock_write(int fd);			/* our pid */
void	pidlock_drop(const char *path, int *fd);	/* removes the file; -1: does nothing */

#endif
