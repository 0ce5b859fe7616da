/* SPDX-License-Identifier: ISC */
/*
 * forget.c -- starting forgetfs and talking to it.
 *
 * Threads: main only.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/powercut.h"

static pid_t forgetfs;
static FILE *to, *from;
static char answer[512];

static int
connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return (-1);
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return (fd);
	(void)close(fd);
	return (-1);
}

int
forget_start(const char *mnt, const char *socket_path, const char *log)
{
	char program[PATH_MAX];
	int fd = -1;

	(void)snprintf(program, sizeof(program), "%s/forgetfs", opt.bin);
	forgetfs = fork();
	if (forgetfs == 0) {
		int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void)dup2(out, 1);
		(void)dup2(out, 2);
		execl(program, program, "-p", "-s", socket_path, mnt, (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 500 && fd < 0; i++) {
		struct timespec ms10 = {0, 10000000};

		if (waitpid(forgetfs, NULL, WNOHANG) == forgetfs)
			return (-ECHILD);
		if ((fd = connect_to(socket_path)) < 0)
			(void)nanosleep(&ms10, NULL);
	}
	if (fd < 0)
		return (-ETIMEDOUT);
	from = fdopen(fd, "r");
	to = fdopen(dup(fd), "w");
	return (from != NULL && to != NULL ? 0 : -ENOMEM);
}

int
forget(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(to, fmt, ap);
	va_end(ap);
	(void)fputc('\n', to);
	if (fflush(to) != 0 || fgets(answer, sizeof(answer), from) == NULL) {
		fail("forgetfs does not answer");
		return (-EPIPE);
	}
	answer[strcspn(answer, "\n")] = '\0';
	if (strncmp(answer, "ok", 2) == 0)
		return (0);
	fail("forgetfs: %s", answer);
	return (-EINVAL);
}

const char *
forget_answer(void)
{
	return (answer);
}

pid_t
forget_pid(void)
{
	return (forgetfs);
}

void
forget_stop(const char *mnt)
{
	if (forgetfs <= 0)
		return;
	(void)umount2(mnt, MNT_DETACH);
	if (to != NULL)
		(void)fclose(to);
	if (from != NULL)
		(void)fclose(from);
	to = from = NULL;
	(void)kill(forgetfs, SIGTERM);
	(void)waitpid(forgetfs, NULL, 0);
	forgetfs = 0;
}
