/* SPDX-License-Identifier: ISC */
#include "ctl/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

#include "ctl/guard.h"

/* cron and sudo have shorter ideas of PATH than these programs' homes. */
static void
complete_path(void)
{
	AUTO_FREE char *path = NULL;
	const char *old = getenv("PATH");

	if (asprintf(&path, "%s:/usr/sbin:/sbin:/usr/bin:/bin", old != NULL ? old : "/usr/bin") > 0)
		(void)setenv("PATH", path, 1);
}

static int
start(const char *const argv[], int out, pid_t *ret_pid)
{
	int gone[2], error = 0;
	pid_t pid;

	if (pipe2(gone, O_CLOEXEC) < 0)
		return (-errno);
	if ((pid = fork()) == 0) {
		(void)dup2(out, STDOUT_FILENO);
		complete_path();
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		error = errno;
		_exit(write(gone[1], &error, sizeof(error)) < 0);
	}
	close(gone[1]);
	/* Exec closes the pipe; a number in it is why there was none. */
	if (pid < 0)
		error = errno;
	else if (read(gone[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
		(void)waitpid(pid, NULL, 0);
	close(gone[0]);
	*ret_pid = pid;
	return (-error);
}

static int
end(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return (-errno);
	return (WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

int
run_capture(const char *const argv[], char *buf, size_t len)
{
	AUTO_FD int from = -1;
	size_t used = 0;
	ssize_t n;
	pid_t pid;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return (-errno);
	from = p[0];
	r = start(argv, p[1], &pid);
	close(p[1]);
	if (r < 0)
		return (r);
	while (used + 1 < len && (n = read(from, buf + used, len - 1 - used)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	buf[used] = '\0';
	return (end(pid));
}

int
run_show(const char *const argv[])
{
	pid_t pid;
	int r = start(argv, STDERR_FILENO, &pid);

	return (r < 0 ? r : end(pid));
}
