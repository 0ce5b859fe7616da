/* SPDX-License-Identifier: ISC */
#include "supervisor/storetool.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/shm.h"

#include "common/role.h"
#include "common/timeutil.h"

#include "supervisor/refuse.h"
#include "supervisor/spawn.h"
#include "supervisor/vault.h"
#include "supervisor/words.h"

#include "supervisor/guard.h"

#define END_LIMIT_US (2 * US_PER_S)

int
storetool_open(struct storetool *t, const struct vault *vault, bool foreground, char **ret_error)
{
	struct role_hello h = {.magic = IPC_MAGIC,
	    .version = IPC_VERSION,
	    .proc = PROC_UPLOADER0,
	    .foreground = foreground};
	size_t len;
	const char *text = vault_text(vault, &len);
	char *packet;
	int r;

	*t = (struct storetool){.sock = -1, .err_fd = -1, .cancel_fd = -1, .parent_fd = -1};
	r = spawn_program("uploader", &t->sock, foreground ? NULL : &t->err_fd, &t->pid);
	if (r < 0)
		return (refuse(r, ret_error, "cannot start s3backer-uploader: %s", strerror(-r)));
	if ((packet = malloc(sizeof(h) + len)) == NULL)
		return (refuse(-ENOMEM, ret_error, "out of memory"));
	memcpy(packet, &h, sizeof(h));
	memcpy(packet + sizeof(h), text, len);
	(void)role_send(t->sock, ROLE_HELLO, packet, sizeof(h) + len, NULL, 0);
	explicit_bzero(packet, sizeof(h) + len);
	free(packet);
	return (0);
}

/* It leaves when the socket closes; one that does not is not waited for. */
void
storetool_close(struct storetool *t)
{
	uint64_t deadline = deadline_in_us(END_LIMIT_US);
	struct timespec pause = {.tv_nsec = 2000000};

	if (t->sock >= 0)
		close(t->sock);
	t->sock = -1;
	while (t->pid > 0 && waitpid(t->pid, NULL, WNOHANG) == 0) {
		if (deadline_passed(deadline))
			(void)kill(t->pid, SIGKILL);
		(void)nanosleep(&pause, NULL);
	}
	t->pid = 0;
	if (t->err_fd >= 0)
		close(t->err_fd);
	t->err_fd = -1;
}

/* ---- answers -------------------------------------------------------------------------------- */

static int
hex(char c)
{
	return (isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
}

bool
storetool_value(const char *answer, const char *key, char *buf, size_t len)
{
	size_t n = strlen(key), used = 0;
	const char *p = answer;

	buf[0] = '\0';
	while ((p = strstr(p, key)) != NULL && (p[n] != '=' || (p != answer && p[-1] != ' ')))
		p += n;
	if (p == NULL)
		return (false);
	for (p += n + 1; *p != '\0' && *p != ' ' && used + 1 < len; p++) {
		if (p[0] == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
			buf[used++] = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
		} else {
			buf[used++] = *p;
		}
	}
	buf[used] = '\0';
	return (true);
}

uint64_t
storetool_number(const char *answer, const char *key, int base)
{
	char buf[32];

	return (storetool_value(answer, key, buf, sizeof(buf)) ? strtoull(buf, NULL, base) : 0);
}

void
storetool_encode(const char *text, char *buf, size_t len)
{
	size_t used = 0;

	for (; *text != '\0' && used + 4 < len; text++) {
		if (isalnum((unsigned char)*text) || strchr("-_.:", *text) != NULL)
			buf[used++] = *text;
		else
			used += (size_t)snprintf(
			    buf + used, len - used, "%%%02X", (unsigned)(unsigned char)*text);
	}
	buf[used] = '\0';
}

/* ---- the conversation ----------------------------------------------------------------------- */

/* Its end, before it answered: it said why in a FAIL, or on stderr, or only by its exit. */
static int
ended(struct storetool *t, char **ret_error)
{
	int status = 0;

	if (t->err_fd >= 0)
		(void)words_read(&t->words, t->err_fd, "uploader");
	if (waitpid(t->pid, &status, 0) == t->pid)
		t->pid = 0;
	if (t->words.last[0] != '\0')
		return (refuse(-EPIPE, ret_error, "s3backer-uploader: %s", t->words.last));
	if (WIFSIGNALED(status))
		return (refuse(-EPIPE, ret_error, "s3backer-uploader died of signal %s",
		    sigabbrev_np(WTERMSIG(status))));
	return (refuse(-EPIPE, ret_error, "s3backer-uploader ended before it was asked (exit %d)",
	    WEXITSTATUS(status)));
}

/* A signal that means "stop"?  The death of a child shows on its socket as well. */
static bool
is_cancelled(const struct storetool *t)
{
	struct signalfd_siginfo si;

	while (read(t->cancel_fd, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			return (true);
	return (false);
}

/* Waits for a packet.  0: there is something to receive. */
static int
await(struct storetool *t, uint64_t deadline, char **ret_error)
{
	for (;;) {
		struct pollfd p[4] = {{.fd = t->sock, .events = POLLIN},
		    {.fd = t->err_fd, .events = POLLIN}, {.fd = t->cancel_fd, .events = POLLIN},
		    {.fd = t->parent_fd}};
		int n = poll(p, 4, deadline_left_ms(deadline));

		if (n == 0)
			return (refuse(-ETIMEDOUT, ret_error, "the store does not answer"));
		if (n < 0 && errno != EINTR)
			return (refuse(-errno, ret_error, "poll: %s", strerror(errno)));
		if (n > 0 && ((p[2].revents != 0 && is_cancelled(t)) || p[3].revents != 0))
			return (refuse(-EINTR, ret_error, "stopped before it was ready"));
		if (n > 0 && p[1].revents != 0 &&
		    words_read(&t->words, t->err_fd, "uploader") < 0) {
			close(t->err_fd);
			t->err_fd = -1;
		}
		if (n > 0 && p[0].revents != 0)
			return (0);
	}
}

int
storetool_pause(struct storetool *t, uint64_t us, char **ret_error)
{
	int r = await(t, deadline_in_us(us), ret_error);

	if (r == -ETIMEDOUT) {
		free(*ret_error);
		*ret_error = NULL;
		return (0);
	}
	return (r == 0 ? ended(t, ret_error) : r);
}

/* "ok ...", "held ..." or "error ERRNO text". */
static int
parse_answer(struct storetool *t, const char *text, char **ret_error)
{
	char *end;
	long err;

	if (strncmp(text, "ok", 2) == 0 && (text[2] == '\0' || text[2] == ' ')) {
		(void)snprintf(t->answer, sizeof(t->answer), "%s", text + 2);
		return (0);
	}
	if (strncmp(text, "held", 4) == 0 && (text[4] == '\0' || text[4] == ' ')) {
		(void)snprintf(t->answer, sizeof(t->answer), "%s", text + 4);
		return (1);
	}
	if (strncmp(text, "error ", 6) != 0)
		return (refuse(-EPROTO, ret_error, "s3backer-uploader answered \"%.100s\"", text));
	err = strtol(text + 6, &end, 10);
	err = err < 0 ? -err : err;
	return (refuse(err == 0 ? -EIO : (int)-err, ret_error, "%s", *end == ' ' ? end + 1 : end));
}

int
storetool_ask(struct storetool *t, uint64_t limit_us, char **ret_error, const char *fmt, ...)
{
	uint64_t deadline = deadline_in_us(limit_us);
	enum role_packet type = 0;
	char text[4096];
	va_list ap;
	ssize_t n;
	int r;

	*ret_error = NULL;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)role_send(t->sock, ROLE_TEXT, text, strlen(text) + 1, NULL, 0);
	for (;;) {
		if ((r = await(t, deadline, ret_error)) < 0)
			return (r);
		n = role_recv(t->sock, &type, text, sizeof(text) - 1, NULL, NULL);
		if (n == -EPIPE)
			return (ended(t, ret_error));
		if (n < 0)
			return (
			    refuse((int)n, ret_error, "s3backer-uploader: %s", strerror((int)-n)));
		text[n] = '\0';
		if (type == ROLE_FAIL)
			return (refuse(-EIO, ret_error, "%s", text));
		if (type == ROLE_TEXT)
			return (parse_answer(t, text, ret_error));
	}
}
