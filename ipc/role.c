/* SPDX-License-Identifier: ISC */
#include "common/role.h"

#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/breakout.h"
#include "common/check.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/shm.h"
#include "ipc/state.h"

_Atomic int role_stop_requested; /* lock-free, so a signal handler may */
static struct role_env *the_env; /* for the signal handler, which gets no argument */

int
role_send(
    int sock, enum role_packet type, const void *data, size_t len, const int *fds, unsigned nfds)
{
	uint32_t head = type;
	struct iovec iov[2] = {
	    {.iov_base = &head, .iov_len = sizeof(head)},
	    {.iov_base = (void *)(uintptr_t)data, .iov_len = len},
	};
	char ctl[CMSG_SPACE(sizeof(int) * ROLE_MAX_FDS)] = {0};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
	struct cmsghdr *c;
	ssize_t n;

	if (nfds > ROLE_MAX_FDS || len > ROLE_PACKET_MAX)
		return (-EMSGSIZE);
	if (nfds > 0) {
		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return (n < 0 ? -errno : 0);
}

/* Descriptors of one packet; surplus ones are closed, never leaked. */
static void
take_fds(struct msghdr *mh, int *fds, unsigned room, unsigned *ret_n)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		unsigned have;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		have = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < have; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < room)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	*ret_n = n;
}

ssize_t
role_recv(int sock, enum role_packet *ret_type, void *buf, size_t size, int *fds, unsigned *nfds)
{
	uint32_t head = 0;
	struct iovec iov[2] = {
	    {.iov_base = &head, .iov_len = sizeof(head)},
	    {.iov_base = buf, .iov_len = size},
	};
	char ctl[CMSG_SPACE(sizeof(int) * ROLE_MAX_FDS)];
	struct msghdr mh = {
	    .msg_iov = iov, .msg_iovlen = 2, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
	bool reset = false;
	unsigned n;
	ssize_t len;

	for (;;) {
		len = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
		if (len >= 0 || (errno != EINTR && (errno != ECONNRESET || reset)))
			break;
		/* The peer left without reading all that we sent.  Its last words lie behind that. */
		reset = errno == ECONNRESET;
	}
	if (len < 0)
		return (errno == ECONNRESET ? -EPIPE : -errno);
	if (len == 0)
		return (-EPIPE);
	take_fds(&mh, fds, nfds != NULL ? *nfds : 0, &n);
	if (nfds != NULL)
		*nfds = n;
	if ((size_t)len < sizeof(head) || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		for (unsigned i = 0; nfds != NULL && i < n; i++)
			close(fds[i]);
		return (-EPROTO);
	}
	*ret_type = (enum role_packet)head;
	return (len - (ssize_t)sizeof(head));
}

static void
on_term(int sig)
{
	(void)sig;
	role_stop_requested = 1;
	if (the_env != NULL && the_env->bell != NULL) {
		uint32_t p = the_env->proc;
		int efd =
		    p >= PROC_UPLOADER0 ? the_env->fd[ROLE_FD_UPBELL0 + p - PROC_UPLOADER0] : -1;

		ipc_bell_ring(the_env->bell, efd); /* atomics and system calls: signal-safe */
	}
}

static void
set_signals(void)
{
	struct sigaction sa = {.sa_handler = on_term};

	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL); /* ^C in a terminal is for s3backerd to decide */
	(void)sigaction(SIGHUP, &sa, NULL);
}

/* HELLO: descriptors to their places, segment, configuration.  Returns NULL or what is wrong. */
static const char *
take_hello(struct role_env *env, const struct role_hello *h, const char *text, size_t len,
    const int *fds, unsigned nfds)
{
	char *error = NULL;

	if (h->magic != IPC_MAGIC || h->version != IPC_VERSION)
		return ("s3backerd and this program are of different versions");
	if (nfds != h->nfds)
		return ("descriptors were lost on the way");
	for (unsigned i = 0; i < nfds; i++) {
		if (h->fd_kind[i] >= ROLE_NFDS || env->fd[h->fd_kind[i]] >= 0)
			return ("a descriptor of unknown kind");
		env->fd[h->fd_kind[i]] = fds[i];
	}
	env->proc = h->proc;
	env->epoch = h->epoch;
	if (conf_deserialize(text, len, &env->conf, &error) < 0)
		return (error != NULL ? error : "bad configuration");
	if (env->fd[ROLE_FD_SHM] < 0)
		return (NULL);
	if ((env->shm = calloc(1, sizeof(*env->shm))) == NULL)
		return ("out of memory");
	if ((env->proc >= PROC_UPLOADER0
		    ? shm_attach_uploader(env->fd[ROLE_FD_SHM], env->proc, env->shm)
		    : shm_attach(env->fd[ROLE_FD_SHM], env->shm)) < 0 ||
	    env->proc >= shm_nprocs(env->shm))
		return ("the shared segment does not fit this program");
	env->fd[ROLE_FD_SHM] = env->shm->fd;
	env->me = shm_proc(env->shm, env->proc);
	env->bell = shm_bell(env->shm, env->proc);
	env->state = shm_state(env->shm);
	env->counters = shm_counters(env->shm, env->proc);
	panic_text = env->me->words;
	panic_text_len = sizeof(env->me->words);
	return (NULL);
}

void
role_start(struct role_env *env)
{
	static char buf[ROLE_PACKET_MAX], name[32];
	int fds[ROLE_MAX_FDS];
	unsigned nfds = ROLE_MAX_FDS;
	enum role_packet type = 0;
	struct role_hello h;
	const char *wrong;
	ssize_t len;

	memset(env, 0, sizeof(*env));
	env->ctl_fd = ROLE_CTL_FD;
	for (unsigned i = 0; i < ROLE_NFDS; i++)
		env->fd[i] = -1;
	(void)prctl(PR_SET_DUMPABLE, 0);
	len = role_recv(ROLE_CTL_FD, &type, buf, sizeof(buf), fds, &nfds);
	if (len < (ssize_t)sizeof(h) || type != ROLE_HELLO) {
		(void)fprintf(stderr, "This program is started by s3backerd, not by hand.\n");
		exit(ROLE_EXIT_NEVER);
	}
	(void)fcntl(ROLE_CTL_FD, F_SETFD, FD_CLOEXEC);
	memcpy(&h, buf, sizeof(h));
	wrong = take_hello(env, &h, buf + sizeof(h), (size_t)len - sizeof(h), fds, nfds);
	explicit_bzero(buf, sizeof(buf)); /* it held the keys */
	env->name = proc_name(env->proc, name, sizeof(name));
	if (wrong != NULL)
		role_fail(env, "%s", wrong);
	log_set_disk(getenv(LOG_DISK_ENV));
	log_open(env->name, env->conf->log_to, conf_enum_word(CONF_logLevel, env->conf->log_level),
	    h.foreground != 0);
	setproctitle("%s", env->conf->bucket);
	the_env = env;
	set_signals();
}

int
role_ready(struct role_env *env, const char *text)
{
	if (env->shm != NULL)
		breakout_try(env);
	return (role_send(env->ctl_fd, ROLE_READY, text, strlen(text) + 1, NULL, 0));
}

void
role_fail(struct role_env *env, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (role_send(env->ctl_fd, ROLE_FAIL, text, strlen(text) + 1, NULL, 0) < 0)
		log_err(0, "%s", text);
	exit(ROLE_EXIT_NEVER);
}

bool
role_orphaned(const struct role_env *env)
{
	static uint64_t since;
	struct pollfd p = {.fd = env->ctl_fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) <= 0 || (p.revents & (POLLHUP | POLLRDHUP | POLLERR)) == 0)
		return (false);
	/* Another one may be on its way to take the disk over; it ends us first. */
	if (since == 0)
		since = now_us();
	return (env->state == NULL || now_us() - since >= atomic_load(&env->state->linger_us));
}
