/* SPDX-License-Identifier: ISC */
#include "uploader/cred_reader.h"

#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsd/string.h>
#include <bsd/unistd.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "uploader/cred_files.h"

#define S3B_UPLOADER_MAY_FORK
#include "uploader/guard.h"

#define READER_FD  3
#define PACKET_MAX (sizeof(struct cred_answer) + CRED_TEXT_MAX)

struct cred_reader {
	int sock;
	pid_t pid;
	pthread_mutex_t lock; /* one question at a time */
	uint32_t seq;
	unsigned char *packet; /* PACKET_MAX */
};

/* ---- the reader ----------------------------------------------------------------------------- */
static ssize_t
answer(struct cred_files *f, const struct cred_question *q, char *buf, size_t size)
{
	switch (q->ask) {
	case CRED_ASK_BEGIN:
		cred_files_forget(f);
		return (0);
	case CRED_ASK_CHANGED:
		return (cred_files_changed(f) ? -ESTALE : 0);
	case CRED_ASK_ACCESS_FILE:
		return (f->conf->access_file != NULL ? cred_files_access(f, buf, size) : -ENOENT);
	case CRED_ASK_PROFILE:
		return (cred_files_profile(f, q->name, buf, size));
	case CRED_ASK_WEB_TOKEN:
		return (cred_files_web_token(f, q->name, buf, size));
	case CRED_ASK_AUTH_TOKEN:
		return (cred_files_auth_token(f, buf, size));
	case CRED_ASK_PROCESS:
		return (cred_files_process(f, q->name, buf, size));
	default:
		return (-ENOSYS);
	}
}

static void
serve(struct cred_files *f, unsigned char *packet)
{
	struct cred_answer *a = (struct cred_answer *)(void *)packet;
	char *text = (char *)packet + sizeof(*a);
	struct cred_question q;
	ssize_t n;

	while ((n = recv(READER_FD, &q, sizeof(q), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(q))
			return;
		q.name[sizeof(q.name) - 1] = '\0';
		text[0] = '\0';
		n = answer(f, &q, text, CRED_TEXT_MAX);
		a->error = n < 0 ? (int32_t)n : 0;
		a->seq = q.seq;
		a->len = (uint32_t)strlen(text);
		(void)send(READER_FD, packet, sizeof(*a) + a->len, MSG_NOSIGNAL);
		explicit_bzero(packet, PACKET_MAX);
	}
}

/*
 * Nothing of the uploader's is kept open: neither its socket, whose end means its death to
 * s3backerd, nor its stderr, nor its log.
 */
_Noreturn static void
reader_main(const struct conf *conf, int sock, pid_t parent, unsigned char *packet)
{
	static struct cred_files files;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	if (sock != READER_FD)
		(void)dup2(sock, READER_FD);
	(void)syscall(SYS_close_range, READER_FD + 1, ~0U, 0);
	(void)fcntl(READER_FD, F_SETFD, FD_CLOEXEC);
	(void)signal(SIGTERM, SIG_DFL);
	setproctitle("%s (reads credentials)", conf->bucket);
	cred_files_init(&files, conf);
	serve(&files, packet);
	_exit(0);
}

/* ---- the uploader --------------------------------------------------------------------------- */
static void
wipe_packet(struct cred_reader *r)
{
	if (r->packet != NULL)
		explicit_bzero(r->packet, PACKET_MAX);
}

int
cred_reader_start(const struct conf *conf, struct cred_reader **ret_reader)
{
	struct cred_reader *r = calloc(1, sizeof(*r));
	pid_t self = getpid();
	int sv[2];

	if (r == NULL)
		return (-ENOMEM);
	r->sock = -1;
	(void)pthread_mutex_init(&r->lock, NULL);
	r->packet =
	    mmap(NULL, PACKET_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->packet == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		free(r);
		return (-errno);
	}
	(void)madvise(r->packet, PACKET_MAX, MADV_DONTDUMP);
	r->sock = sv[0];
	if ((r->pid = fork()) == 0)
		reader_main(conf, sv[1], self, r->packet);
	close(sv[1]);
	if (r->pid < 0) {
		cred_reader_end(&r);
		return (-EAGAIN);
	}
	*ret_reader = r;
	return (0);
}

void
cred_reader_end(struct cred_reader **rp)
{
	struct cred_reader *r = *rp;

	if (r == NULL)
		return;
	close(r->sock);
	if (r->pid > 0) {
		(void)kill(r->pid, SIGKILL); /* it may be waiting for a command */
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	wipe_packet(r);
	(void)munmap(r->packet, PACKET_MAX);
	free(r);
	*rp = NULL;
}

/* One that was not waited for to the end has left its answer behind. */
static ssize_t
receive_answer(struct cred_reader *r, int stop_fd, struct cred_answer *ret_answer)
{
	struct pollfd p[2] = {{.fd = r->sock, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
	ssize_t n;

	do {
		while (poll(p, 2, -1) < 0 && errno == EINTR)
			;
		if (p[1].revents != 0 && p[0].revents == 0)
			return (-ECANCELED);
		if ((n = recv(r->sock, r->packet, PACKET_MAX, 0)) < (ssize_t)sizeof(*ret_answer))
			return (-EPIPE);
		memcpy(ret_answer, r->packet, sizeof(*ret_answer));
	} while (ret_answer->seq != r->seq);
	return (n - (ssize_t)sizeof(*ret_answer));
}

static ssize_t
receive(struct cred_reader *r, int stop_fd, char *buf, size_t size)
{
	struct cred_answer a;
	ssize_t n = receive_answer(r, stop_fd, &a);

	if (n < 0)
		return (n);
	if ((size_t)n >= size || (uint32_t)n != a.len)
		return (-EPROTO);
	memcpy(buf, r->packet + sizeof(a), (size_t)n);
	buf[n] = '\0';
	return (a.error < 0 ? a.error : n);
}

ssize_t
cred_reader_ask(
    struct cred_reader *r, enum cred_ask ask, const char *name, int stop_fd, char *buf, size_t size)
{
	struct cred_question q = {.ask = ask};
	ssize_t n = -EPIPE;

	buf[0] = '\0';
	if (r == NULL)
		return (-ENOENT);
	if (strlcpy(q.name, name != NULL ? name : "", sizeof(q.name)) >= sizeof(q.name))
		return (-ENAMETOOLONG);
	(void)pthread_mutex_lock(&r->lock);
	q.seq = ++r->seq;
	if (send(r->sock, &q, sizeof(q), MSG_NOSIGNAL) == sizeof(q))
		n = receive(r, stop_fd, buf, size);
	wipe_packet(r);
	(void)pthread_mutex_unlock(&r->lock);
	if (n < 0 && buf[0] == '\0')
		(void)strlcpy(buf,
		    n == -EPIPE ? "the process that reads credentials has died" : strerror((int)-n),
		    size);
	return (n);
}
