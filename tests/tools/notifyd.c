/* SPDX-License-Identifier: ISC */
/*
 * notifyd.c -- plays systemd for one service: notifications, descriptor store, restart after a death.
 *
 *	notifyd [-k] SOCKET LOG PROGRAM ARGUMENTS...
 *
 * Binds SOCKET, starts the program with NOTIFY_SOCKET, and writes to LOG, one line each: every
 * assignment of a notification ("got READY=1"), "store NAME", "remove NAME", "started PID fds=N",
 * "died SIGNAL".  When a signal has killed the program, it is started again at once with what is in the
 * store (sd_listen_fds(3)).  When it exits, so do we, with its code.  TERM is passed on, and nothing is
 * started after that.
 *
 * -k: as KillMode=control-group does: what the dead has left running is killed first.
 *
 * Written from sd_notify(3) and sd_listen_fds(3); shares no code with what it tests.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_MAX 128

static struct {
	char name[64];
	int fd;
} store[STORE_MAX];
static int nstore;
static FILE *out;
static const char *socket_path;
static char **command;
static pid_t child;
static bool kill_rest, stopping;

__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(out, fmt, ap);
	va_end(ap);
	(void)fputc('\n', out);
	(void)fflush(out);
}

/* ---- the store ------------------------------------------------------------------------------ */

static void
drop(const char *name)
{
	for (int i = 0; i < nstore; i++) {
		if (strcmp(store[i].name, name) != 0)
			continue;
		say("remove %s", name);
		close(store[i].fd);
		store[i--] = store[--nstore];
	}
}

static void
keep(const char *name, int fd)
{
	for (int i = 0; i < nstore; i++)
		if (strcmp(store[i].name, name) == 0) { /* as if it were the same file */
			close(store[i].fd);
			store[i].fd = fd;
			return;
		}
	if (nstore == STORE_MAX) {
		close(fd);
		return;
	}
	say("store %s", name);
	(void)snprintf(store[nstore].name, sizeof(store[nstore].name), "%s", name);
	store[nstore++].fd = fd;
}

/* ---- the program ---------------------------------------------------------------------------- */

static void
start_child(void)
{
	char number[16], names[STORE_MAX * 72] = "";
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid > 0) {
		child = pid;
		say("started %d fds=%d", (int)pid, nstore);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* First above all that is to be filled, then to their places from 3 on. */
	for (int i = 0; i < nstore; i++)
		store[i].fd = fcntl(store[i].fd, F_DUPFD_CLOEXEC, 3 + STORE_MAX);
	for (int i = 0; i < nstore; i++) {
		if (dup2(store[i].fd, 3 + i) < 0)
			_exit(126);
		(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
		    i > 0 ? ":" : "", store[i].name);
	}
	(void)setenv("NOTIFY_SOCKET", socket_path, 1);
	if (nstore > 0) {
		(void)snprintf(number, sizeof(number), "%d", nstore);
		(void)setenv("LISTEN_FDS", number, 1);
		(void)snprintf(number, sizeof(number), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", number, 1);
		(void)setenv("LISTEN_FDNAMES", names, 1);
	}
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execvp(command[0], command);
	_exit(127);
}

/* Orphans become our children (PR_SET_CHILD_SUBREAPER). */
static void
kill_orphans(void)
{
	FILE *f;
	int pid;

	f = fopen("/proc/thread-self/children", "re");
	while (f != NULL && fscanf(f, "%d", &pid) == 1) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	if (f != NULL)
		(void)fclose(f);
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != child)
			continue;
		if (!WIFSIGNALED(status) || stopping) {
			say("exit %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		}
		say("died %s", sigabbrev_np(WTERMSIG(status)));
		if (kill_rest)
			kill_orphans();
		start_child();
	}
}

/* ---- notifications -------------------------------------------------------------------------- */

static void
on_message(int sock)
{
	char buf[4096], ctl[CMSG_SPACE(sizeof(int))], *rest = buf, *line;
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf) - 1};
	struct msghdr mh = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
	const char *name = "stored";
	bool add = false, remove = false;
	struct cmsghdr *c;
	ssize_t n;
	int fd = -1;

	if ((n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC)) < 0)
		return;
	buf[n] = '\0';
	if ((c = CMSG_FIRSTHDR(&mh)) != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strcmp(line, "FDSTORE=1") == 0)
			add = true;
		else if (strcmp(line, "FDSTOREREMOVE=1") == 0)
			remove = true;
		else if (strncmp(line, "FDNAME=", 7) == 0)
			name = line + 7;
		else if (*line != '\0')
			say("got %s", line);
	}
	if (add && fd >= 0)
		keep(name, fd);
	else if (fd >= 0)
		close(fd);
	if (remove)
		drop(name);
}

static void
on_signal(int sfd)
{
	struct signalfd_siginfo si;

	while (read(sfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		stopping = true;
		(void)kill(child, SIGTERM);
	}
	reap();
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct pollfd p[2];
	sigset_t set;

	if (argc > 1 && strcmp(argv[1], "-k") == 0) {
		kill_rest = true;
		argc--, argv++;
	}
	if (argc < 4)
		errx(2, "usage: notifyd [-k] SOCKET LOG PROGRAM ARGUMENTS...");
	socket_path = argv[1];
	command = argv + 3;
	if ((out = fopen(argv[2], "ae")) == NULL)
		err(1, "%s", argv[2]);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	p[0] =
	    (struct pollfd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN};
	p[1] =
	    (struct pollfd){.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), .events = POLLIN};
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	(void)unlink(socket_path);
	if (bind(p[1].fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		err(1, "%s", socket_path);
	start_child();
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			err(1, "poll");
		/* What the program said before it died counts. */
		while (poll(&p[1], 1, 0) > 0)
			on_message(p[1].fd);
		if (p[0].revents != 0)
			on_signal(p[0].fd);
	}
}
