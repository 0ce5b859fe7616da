/* SPDX-License-Identifier: ISC */
#include "supervisor/pidlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/durable.h"

#include "supervisor/guard.h"

static pid_t
pid_in(int fd)
{
	char text[24];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return (0);
	text[n] = '\0';
	return ((pid_t)strtol(text, NULL, 10));
}

int
pidlock_take(const char *path, int *ret_fd, pid_t *ret_other)
{
	struct stat ours, there;

	*ret_other = 0;
	for (;;) {
		AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0)
			return (-errno);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return (-errno);
			*ret_other = pid_in(fd);
			return (-EEXIST);
		}
		/* Its last holder may have removed it between our two steps: then this is no lock. */
		if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
		    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
			*ret_fd = fd_take(&fd);
			return (0);
		}
	}
}

int
pidlock_write(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0)
		return (-errno);
	return (pwrite_full(fd, text, (size_t)n, 0));
}

void
pidlock_drop(const char *path, int *fd)
{
	if (*fd < 0)
		return;
	(void)unlink(path);
	close(*fd);
	*fd = -1;
}
