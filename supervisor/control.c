/* SPDX-License-Identifier: ISC */
#include "supervisor/control.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/ctlsock.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/command.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define REQUEST_MAX 4096
#define OUT_MAX	    (4u << 20)
#define CLIENTS_MAX 64
#define BACKLOG	    16
#define PROGRESS_US (200 * US_PER_MS)

int
control_open(const char *path, struct control **ret_control)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct control *c;
	mode_t old;
	int r;

	if (fd < 0)
		return (-errno);
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return (-ENAMETOOLONG);
	(void)unlink(path);
	old = umask(0177); /* 0600 from the first moment on */
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	(void)umask(old);
	if (r < 0)
		return (r);
	if (listen(fd, BACKLOG) < 0)
		return (-errno);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-ENOMEM);
	c->listen_fd = fd_take(&fd);
	LIST_INIT(&c->clients);
	*ret_control = c;
	return (0);
}

void
control_is_ours(struct control *c)
{
	if (c != NULL)
		(void)listen(c->listen_fd, BACKLOG);
}

int
control_adopt(int listen_fd, struct control **ret_control)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return (-ENOMEM);
	c->listen_fd = listen_fd;
	LIST_INIT(&c->clients);
	*ret_control = c;
	return (0);
}

static void
client_free(struct client *c)
{
	command_forget(c->super, c);
	LIST_REMOVE(c, link);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

void
control_close(struct control **cp)
{
	struct client *c;

	if (*cp == NULL)
		return;
	while ((c = LIST_FIRST(&(*cp)->clients)) != NULL)
		client_free(c);
	close((*cp)->listen_fd);
	free(*cp);
	*cp = NULL;
}

/* ---- out ------------------------------------------------------------------------------------ */

static void
write_some(struct client *c)
{
	ssize_t n;

	if (c->out_used == 0)
		return;
	n = send(c->fd, c->out, c->out_used, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		c->dead = true;
	if (n <= 0)
		return;
	memmove(c->out, c->out + n, c->out_used - (size_t)n);
	c->out_used -= (size_t)n;
}

static void
put_line(struct client *c, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0, need = c->out_used + len + 1;

	json_decref(line);
	if (text == NULL || need > OUT_MAX) {
		c->dead = true;
	} else {
		if (need > c->out_size) {
			char *grown = realloc(c->out, need * 2);

			if (grown == NULL)
				goto out;
			c->out = grown;
			c->out_size = need * 2;
		}
		memcpy(c->out + c->out_used, text, len);
		c->out[c->out_used + len] = '\n';
		c->out_used = need;
		write_some(c);
	}
out:
	free(text);
}

void
client_ok(struct client *c, json_t *data)
{
	c->wait = WAIT_NOTHING;
	put_line(c, json_pack("{s:i, s:s, s:b, s:o}", "v", CTL_VERSION, "type", "result", "ok", 1,
			"data", data != NULL ? data : json_object()));
}

void
client_error(struct client *c, int exit_code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->wait = WAIT_NOTHING;
	put_line(c, json_pack("{s:i, s:s, s:b, s:i, s:s}", "v", CTL_VERSION, "type", "result", "ok",
			0, "exit", exit_code, "error", text));
}

/* ---- in ------------------------------------------------------------------------------------- */

static void
on_client(struct super *s, void *arg, short revents)
{
	struct client *c = arg;
	char *nl;
	ssize_t n;

	(void)s;
	if ((revents & POLLOUT) != 0)
		write_some(c);
	if ((revents & (POLLIN | POLLHUP | POLLERR)) == 0)
		return;
	n = recv(c->fd, c->in + c->in_used, REQUEST_MAX - c->in_used, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		c->dead = true;
		return;
	}
	c->in_used += (size_t)n;
	/* A second request before the answer to the first waits in the buffer. */
	while (
	    c->wait == WAIT_NOTHING && !c->dead && (nl = memchr(c->in, '\n', c->in_used)) != NULL) {
		size_t len = (size_t)(nl - c->in) + 1;

		*nl = '\0';
		control_request(c, c->in);
		memmove(c->in, c->in + len, c->in_used - len);
		c->in_used -= len;
	}
	if (c->in_used == REQUEST_MAX)
		c->dead = true;
}

static bool
may_ask(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return (false);
	if (u.uid == 0 || u.uid == geteuid())
		return (true);
	log_warn("refused on the control socket: uid=%u pid=%d", (unsigned)u.uid, (int)u.pid);
	return (false);
}

static struct client *
client_new(struct super *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return (NULL);
	}
	c->super = s;
	c->fd = fd;
	c->in = malloc(REQUEST_MAX);
	c->dead = c->in == NULL;
	LIST_INSERT_HEAD(&s->control->clients, c, link);
	return (c);
}

static void
on_listen(struct super *s, void *arg, short revents)
{
	struct control *ctl = arg;
	struct client *other;
	unsigned n = 0;
	int fd = accept4(ctl->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	LIST_FOREACH (other, &ctl->clients, link)
		n++;
	if (n >= CLIENTS_MAX || !may_ask(fd))
		close(fd);
	else
		(void)client_new(s, fd);
}

void
control_watch(struct super *s, struct watch_set *w)
{
	struct client *c, *next;

	if (s->control == NULL)
		return;
	watch_add(w, s->control->listen_fd, POLLIN, on_listen, s->control);
	LIST_FOREACH_SAFE(c, &s->control->clients, link, next)
	{
		if (c->dead)
			client_free(c);
		else
			watch_add(w, c->fd, (short)(POLLIN | (c->out_used > 0 ? POLLOUT : 0)),
			    on_client, c);
	}
}

/* ---- those who wait ------------------------------------------------------------------------- */

uint64_t
control_timers(struct super *s, uint64_t now)
{
	uint64_t next = TIME_NEVER;
	struct client *c;
	json_t *line;

	if (s->control == NULL)
		return (next);
	LIST_FOREACH (c, &s->control->clients, link) {
		if (c->dead ||
		    (c->wait != WAIT_UPLOAD && c->wait != WAIT_STOP && c->wait != WAIT_SCRUB))
			continue;
		if (now >= c->progress_us) {
			c->progress_us = now + PROGRESS_US;
			if ((line = control_progress(c)) != NULL)
				put_line(c, line);
		}
		next = min_u64(next, c->progress_us);
	}
	return (next);
}

void
control_stop_refused(struct super *s, const char *fmt, ...)
{
	char text[1200];
	struct client *c;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->control == NULL)
		return;
	LIST_FOREACH (c, &s->control->clients, link)
		if (c->wait == WAIT_STOP)
			client_error(c, EXIT_FAILED, "%s", text);
}

void
control_restarted(struct super *s)
{
	struct client *c;

	if (s->control == NULL)
		return;
	LIST_FOREACH (c, &s->control->clients, link)
		if (c->wait == WAIT_RESTART)
			client_ok(c,
			    json_pack("{s:s, s:I}", "file", s->file, "size", (json_int_t)s->size));
}

void
control_farewell(struct super *s, const char *warning)
{
	struct client *c;

	if (s->control == NULL)
		return;
	LIST_FOREACH (c, &s->control->clients, link) {
		if (c->wait == WAIT_STOP && s->fail == NULL)
			client_ok(
			    c, json_pack("{s:I, s:s}", "leftDirtyBytes", (json_int_t)s->left_dirty,
				   "warning", warning != NULL ? warning : ""));
		else if (c->wait != WAIT_NOTHING)
			client_error(c, EXIT_FAILED, "%s",
			    s->fail != NULL ? s->fail : "the disk was stopped");
	}
}

void
control_restart_refused(struct super *s, const char *why)
{
	struct client *c;

	LIST_FOREACH (c, &s->control->clients, link)
		if (c->wait == WAIT_RESTART)
			client_error(c, EXIT_FAILED, "%s: %s", c->cmd, why);
}

/* ---- from one s3backerd to the next --------------------------------------------------------- */

int
control_fd(const struct control *c)
{
	return (c->listen_fd);
}

int
control_client_fd(const void *client)
{
	return (((const struct client *)client)->fd);
}

/* One that waits for nothing, or has not read its answer yet, finds its connection closed. */
json_t *
control_letter(const struct control *ctl)
{
	json_t *list = json_array();
	struct client *c;

	LIST_FOREACH (c, &ctl->clients, link)
		if (!c->dead && c->wait != WAIT_NOTHING)
			(void)json_array_append_new(
			    list, json_pack("{s:i, s:i, s:s, s:I}", "fd", c->fd, "wait",
				      (int)c->wait, "cmd", c->cmd, "total", (json_int_t)c->total));
	return (list);
}

int
control_read_letter(struct super *s, json_t *clients)
{
	json_t *o;
	size_t i;

	json_array_foreach(clients, i, o)
	{
		const char *cmd = json_string_value(json_object_get(o, "cmd"));
		struct client *c = client_new(s, (int)json_integer_value(json_object_get(o, "fd")));

		if (c == NULL)
			return (-ENOMEM);
		c->wait = (enum client_wait)json_integer_value(json_object_get(o, "wait"));
		c->total = (uint64_t)json_integer_value(json_object_get(o, "total"));
		c->cmd = cmd != NULL ? control_op_name(cmd) : NULL;
		if (c->cmd == NULL)
			c->dead = true;
	}
	return (0);
}

struct client *
control_find_client(struct super *s, int fd)
{
	struct client *c;

	LIST_FOREACH (c, &s->control->clients, link)
		if (c->fd == fd)
			return (c);
	return (NULL);
}

void
control_set_inherited(const struct control *ctl, bool inherited)
{
	struct client *c;

	LIST_FOREACH (c, &ctl->clients, link)
		(void)fcntl(c->fd, F_SETFD, inherited && c->wait != WAIT_NOTHING ? 0 : FD_CLOEXEC);
}
