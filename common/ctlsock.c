/* SPDX-License-Identifier: ISC */
#include "common/ctlsock.h"

#include <bsd/string.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/timeutil.h"

int
ctl_connect(const char *path, struct ctl_conn *ret_conn)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct ctl_conn c = {.fd = -1};
	AUTO_FD int fd = -1;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return (-ENAMETOOLONG);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return (-errno);
	if ((c.buf = malloc(CTL_LINE_MAX)) == NULL)
		return (-ENOMEM);
	c.fd = fd_take(&fd);
	*ret_conn = c;
	return (0);
}

void
ctl_close(struct ctl_conn *c)
{
	if (c == NULL || c->buf == NULL)
		return;
	close(c->fd);
	free(c->buf);
	*c = (struct ctl_conn){.fd = -1};
}

static int
send_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (-errno);
		p += n;
		len -= (size_t)n;
	}
	return (0);
}

int
ctl_send(struct ctl_conn *c, const char *line)
{
	int r = send_all(c->fd, line, strlen(line));

	return (r < 0 ? r : send_all(c->fd, "\n", 1));
}

int
ctl_recv(struct ctl_conn *c, uint64_t deadline_us, char **ret_line)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	memmove(c->buf, c->buf + c->line_end, c->used - c->line_end);
	c->used -= c->line_end;
	c->line_end = 0;
	for (;;) {
		char *nl = memchr(c->buf, '\n', c->used);
		ssize_t n;

		if (nl != NULL) {
			*nl = '\0';
			c->line_end = (size_t)(nl - c->buf) + 1;
			*ret_line = c->buf;
			return (0);
		}
		if (c->used == CTL_LINE_MAX)
			return (-EMSGSIZE);
		n = poll(&p, 1, deadline_left_ms(deadline_us));
		if (n == 0)
			return (-ETIMEDOUT);
		if (n < 0 && errno != EINTR)
			return (-errno);
		if (n < 0)
			continue;
		n = recv(c->fd, c->buf + c->used, CTL_LINE_MAX - c->used, 0);
		if (n < 0 && errno != EINTR)
			return (errno == ECONNRESET ? -EPIPE : -errno);
		if (n == 0)
			return (-EPIPE);
		if (n > 0)
			c->used += (size_t)n;
	}
}
