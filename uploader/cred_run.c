/* SPDX-License-Identifier: ISC */
/*
 * cred_run.c -- credential_process: a command whose output is credentials.
 *
 * Process:  the reader of credentials, which is the only part of an uploader that may start others.
 * The command gets the environment of who started the disk, in a process group of its own, with no
 * terminal, no input, and no descriptor of ours.  What it says on stderr is thrown away: its authors
 * are told not to put secrets there, which is no reason to have them in a log.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/timeutil.h"
#include "uploader/cred_files.h"

#define S3B_UPLOADER_MAY_FORK
#include "uploader/guard.h"

static int
become(uid_t uid)
{
	const struct passwd *pw;

	if (geteuid() != 0 || uid == 0)
		return (0);
	if ((pw = getpwuid(uid)) == NULL)
		return (-ENOENT);
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 || setresuid(uid, uid, uid) < 0)
		return (-errno);
	return (setenv("HOME", pw->pw_dir, 1) < 0 ? -errno : 0);
}

_Noreturn static void
child(const char *command, uid_t uid, int out)
{
	int null = open("/dev/null", O_RDWR);

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	(void)syscall(SYS_close_range, 3, ~0U, 0);
	if (chdir("/") == 0 && become(uid) == 0)
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Until the end of its output.  -ETIMEDOUT, -E2BIG. */
static ssize_t
collect(int fd, char *buf, size_t size)
{
	uint64_t deadline = deadline_in_us(CRED_RUN_LIMIT_S * US_PER_S);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t have = 0;
	ssize_t n = 1;

	while (n != 0) {
		if (have == size - 1)
			return (-E2BIG);
		if (poll(&p, 1, deadline_left_ms(deadline)) == 0)
			return (-ETIMEDOUT);
		n = read(fd, buf + have, size - 1 - have);
		if (n < 0 && errno != EINTR)
			return (-errno);
		have += n > 0 ? (size_t)n : 0;
	}
	buf[have] = '\0';
	return (strlen(buf) == have ? (ssize_t)have : -EINVAL);
}

ssize_t
cred_run(const char *command, uid_t uid, char *buf, size_t size)
{
	AUTO_FD int out = -1;
	int p[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return (-errno);
	out = p[0];
	pid = fork();
	if (pid == 0)
		child(command, uid, p[1]);
	close(p[1]);
	if (pid < 0)
		return (-EAGAIN);
	n = collect(out, buf, size);
	/* Whoever closed its output has nothing more to tell, and what it left behind is ended. */
	if (n < 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)kill(-pid, SIGKILL);
	if (n >= 0 && status == 0)
		return (n);
	explicit_bzero(buf, size);
	if (n < 0)
		(void)snprintf(buf, size, "credential_process: %s", strerror((int)-n));
	else if (WIFEXITED(status))
		(void)snprintf(
		    buf, size, "credential_process ended with exit code %d", WEXITSTATUS(status));
	else
		(void)snprintf(buf, size, "credential_process died of signal %d", WTERMSIG(status));
	return (n < 0 ? n : -ECHILD);
}
