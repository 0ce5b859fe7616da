/* SPDX-License-Identifier: ISC */
#include "supervisor/scrape.h"

#include <arpa/inet.h>
#include <bsd/string.h>
#include <bsd/sys/queue.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/blockmath.h"
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/timeutil.h"

#include "supervisor/status.h"
#include "supervisor/super.h"

#include "supervisor/guard.h"

#define SCRAPE_MAX	16
#define SCRAPE_LIMIT_US (10 * US_PER_S)
#define REQUEST_MAX	8192

struct scraper {
	LIST_ENTRY(scraper) link;
	int fd;
	uint64_t until_us;
	char in[REQUEST_MAX];
	size_t in_used;
	char *out; /* NULL: the request has not come */
	size_t out_len, out_sent;
	bool dead;
};

struct scrape {
	int fd;
	char *path; /* of a socket file; NULL: TCP */
	LIST_HEAD(, scraper) all;
	unsigned n;
};

/* ---- the address ---------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* "127.0.0.1:9340", "[::1]:9340", "localhost:9340", "/path".  Its length; 0: none of these. */
static socklen_t
parse(const char *text, union address *a)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint16_t port;

	memset(a, 0, sizeof(*a));
	if (*text == '/') {
		a->un.sun_family = AF_UNIX;
		return (
		    strlcpy(a->un.sun_path, text, sizeof(a->un.sun_path)) < sizeof(a->un.sun_path)
			? sizeof(a->un)
			: 0);
	}
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return (0);
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	port = htons((uint16_t)atoi(colon + 1));
	if (strcmp(host, "[::1]") == 0) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_addr = in6addr_loopback;
		a->in6.sin6_port = port;
		return (sizeof(a->in6));
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = port;
	if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		&a->in.sin_addr) != 1 ||
	    (ntohl(a->in.sin_addr.s_addr) >> 24) != 127)
		return (0);
	return (sizeof(a->in));
}

static int
bind_to(const char *text, int *ret_fd)
{
	union address a;
	socklen_t len = parse(text, &a);
	AUTO_FD int fd = -1;
	int one = 1, r;
	mode_t old;

	if (len == 0)
		return (-EADDRNOTAVAIL);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return (-errno);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a.any.sa_family == AF_UNIX)
		(void)unlink(
		    text); /* of our predecessor; the pid file says that there is no other */
	old = umask(0117); /* a group may be let in by the directory's owner */
	r = bind(fd, &a.any, len) < 0 ? -errno : 0;
	(void)umask(old);
	if (r < 0)
		return (r);
	if (listen(fd, SCRAPE_MAX) < 0)
		return (-errno);
	*ret_fd = fd_take(&fd);
	return (0);
}

int
scrape_open(struct super *s, char **ret_error)
{
	const char *where = s->conf->metrics_listen;
	struct scrape *c;
	int fd = -1, r;

	if (where == NULL || s->scrape != NULL)
		return (0);
	if ((r = bind_to(where, &fd)) < 0) {
		if (asprintf(ret_error, "metricsListen = %s: %s", where,
			r == -EADDRNOTAVAIL ? "only loopback is served (127.0.0.1:PORT, [::1]:PORT "
					      "or the path of a socket)"
					    : strerror(-r)) < 0)
			*ret_error = NULL;
		return (r);
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return (-ENOMEM);
	}
	c->fd = fd;
	c->path = *where == '/' ? strdup(where) : NULL;
	LIST_INIT(&c->all);
	s->scrape = c;
	return (0);
}

static void
scraper_free(struct scrape *c, struct scraper *p)
{
	LIST_REMOVE(p, link);
	c->n--;
	close(p->fd);
	free(p->out);
	free(p);
}

void
scrape_close(struct super *s)
{
	struct scrape *c = s->scrape;

	if (c == NULL)
		return;
	while (!LIST_EMPTY(&c->all))
		scraper_free(c, LIST_FIRST(&c->all));
	close(c->fd);
	free(c->path);
	free(c);
	s->scrape = NULL;
}

void
scrape_remove(const struct super *s)
{
	if (s->scrape != NULL && s->scrape->path != NULL)
		(void)unlink(s->scrape->path);
}

/* ---- one request, one answer ---------------------------------------------------------------- */

static void
answer(struct scraper *p, const char *status, const char *type, const char *body, bool head_only)
{
	int n = asprintf(&p->out,
	    "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
	    status, type, strlen(body), head_only ? "" : body);

	if (n < 0) {
		p->out = NULL;
		p->dead = true;
		return;
	}
	p->out_len = (size_t)n;
}

static void
serve(struct super *s, struct scraper *p)
{
	static const char plain[] = "text/plain; charset=utf-8";
	bool is_head = strncmp(p->in, "HEAD ", 5) == 0;
	const char *path = strchr(p->in, ' ');
	char *text;
	size_t len;

	if ((!is_head && strncmp(p->in, "GET ", 4) != 0) || path == NULL) {
		answer(p, "405 Method Not Allowed", plain, "GET /metrics\n", false);
		return;
	}
	len = strcspn(++path, " ?\r\n");
	if (len == 1 && *path == '/') {
		answer(p, "200 OK", plain, "s3backer: the figures are at /metrics\n", is_head);
	} else if (len != 8 || strncmp(path, "/metrics", 8) != 0) {
		answer(p, "404 Not Found", plain, "the figures are at /metrics\n", is_head);
	} else if ((text = status_metrics(s)) == NULL) {
		answer(p, "503 Service Unavailable", plain, "out of memory\n", is_head);
	} else {
		answer(p, "200 OK", "text/plain; version=0.0.4; charset=utf-8", text, is_head);
		free(text);
	}
}

static void
send_some(struct scraper *p)
{
	ssize_t n = send(
	    p->fd, p->out + p->out_sent, p->out_len - p->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		p->dead = true;
	if (n > 0)
		p->out_sent += (size_t)n;
	if (p->out_sent == p->out_len) {
		(void)shutdown(p->fd, SHUT_WR);
		p->dead = true;
	}
}

static void
on_scraper(struct super *s, void *arg, short revents)
{
	struct scraper *p = arg;
	ssize_t n;

	if (p->out == NULL) {
		n = recv(p->fd, p->in + p->in_used, sizeof(p->in) - 1 - p->in_used, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			p->dead = true;
			return;
		}
		p->in_used += (size_t)n;
		p->in[p->in_used] = '\0';
		if (strstr(p->in, "\r\n\r\n") == NULL && strstr(p->in, "\n\n") == NULL) {
			p->dead = p->in_used == sizeof(p->in) - 1;
			return;
		}
		serve(s, p);
	} else if ((revents & (POLLERR | POLLHUP)) != 0) {
		p->dead = true;
	}
	if (p->out != NULL && !p->dead)
		send_some(p);
}

static void
on_listen(struct super *s, void *arg, short revents)
{
	struct scrape *c = s->scrape;
	struct scraper *p;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)arg;
	(void)revents;
	if (fd < 0)
		return;
	if (c->n >= SCRAPE_MAX || (p = calloc(1, sizeof(*p))) == NULL) {
		close(fd);
		return;
	}
	p->fd = fd;
	p->until_us = deadline_in_us(SCRAPE_LIMIT_US);
	c->n++;
	LIST_INSERT_HEAD(&c->all, p, link);
}

void
scrape_watch(struct super *s, struct watch_set *w)
{
	struct scrape *c = s->scrape;
	struct scraper *p, *next;

	if (c == NULL)
		return;
	watch_add(w, c->fd, POLLIN, on_listen, NULL);
	LIST_FOREACH_SAFE(p, &c->all, link, next)
	{
		if (p->dead)
			scraper_free(c, p);
		else
			watch_add(w, p->fd, p->out == NULL ? POLLIN : POLLOUT, on_scraper, p);
	}
}

uint64_t
scrape_timers(struct super *s, uint64_t now)
{
	uint64_t next = TIME_NEVER;
	struct scraper *p;

	if (s->scrape == NULL)
		return (next);
	LIST_FOREACH (p, &s->scrape->all, link) {
		if (now >= p->until_us)
			p->dead = true; /* freed when the descriptors are gathered */
		next = min_u64(next, p->dead ? now : p->until_us);
	}
	return (next);
}
