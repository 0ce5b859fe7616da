/* SPDX-License-Identifier: ISC */
#include "supervisor/pidlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/durable.h"
#include "common/timeutil.h"

#include "supervisor/guard.h"

#define ENDING_US US_PER_S /* what a process may take to end, after it was killed */

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

/* True: the holder has ended, or may have: look again. */
static bool
ends(pid_t pid, uint64_t deadline)
{
	AUTO_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd >= 0)
		return (poll(&p, 1, deadline_left_ms(deadline)) > 0);
	/* A child of it, not yet another program, has the lock for a moment longer. */
	(void)poll(NULL, 0, 10);
	return (now_us() < deadline);
}

int
pidlock_take(const char *path, int *ret_fd, pid_t *ret_other)
{
	uint64_t deadline = now_us() + ENDING_US;
	struct stat ours, there;

	for (;;) {
		AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		*ret_other = 0;
		if (fd < 0)
			return (-errno);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return (-errno);
			*ret_other = pid_in(fd);
			if (*ret_other > 0 && ends(*ret_other, deadline))
				continue;
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
