/* SPDX-License-Identifier: ISC */
#include "common/journal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_ROOM  4096
#define PAIRS_MAX  12 /* of one text */
#define NAME_LIMIT 24

static int sock = -1;

struct out {
	char *buf;
	size_t used, size;
};

static void field(struct out *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Half a field is worse than none. */
static void
field(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->buf + o->used, o->size - o->used, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n + 1 < o->size - o->used) {
		o->used += (size_t)n;
		o->buf[o->used++] = '\n';
	}
}

/* Nothing that a text says may pass for what we say ourselves. */
static bool
is_ours(const char *name)
{
	return (strcmp(name, "ROLE") == 0 || strcmp(name, "DISK") == 0);
}

/* `word` begins a word of the text; a pair is key=value with a key of lower-case letters. */
static void
pair(struct out *o, const char *word, size_t len)
{
	char name[NAME_LIMIT];
	size_t n = 0;

	while (n < len && n < sizeof(name) - 1 &&
	       (islower((unsigned char)word[n]) || word[n] == '_')) {
		name[n] = (char)toupper((unsigned char)word[n]);
		n++;
	}
	name[n] = '\0';
	if (n == 0 || n == len || word[n] != '=' || word[0] == '_' || is_ours(name))
		return;
	field(o, "S3B_%s=%.*s", name, (int)(len - n - 1), word + n + 1);
}

static void
pairs(struct out *o, const char *text)
{
	const char *at = strstr(text, ": ");

	for (int i = 0; at != NULL && i < PAIRS_MAX; i++) {
		at += strspn(at, ": ");
		if (*at == '\0')
			break;
		/* Last words may be a sentence. */
		pair(o, at, strncmp(at, "words=", 6) == 0 ? strlen(at) : strcspn(at, " "));
		at += strcspn(at, " ");
	}
}

size_t
journal_compose(const struct journal_line *l, char *buf, size_t size)
{
	struct out o = {.buf = buf, .size = size};
	bool self = *l->role == '\0' || strcmp(l->role, "s3backerd") == 0;

	field(&o, "PRIORITY=%d", l->priority);
	field(&o, "SYSLOG_FACILITY=%d", LOG_DAEMON >> 3);
	field(&o, "SYSLOG_IDENTIFIER=s3backerd");
	if (*l->id != '\0')
		field(&o, "MESSAGE_ID=%s", l->id);
	if (l->err != 0)
		field(&o, "ERRNO=%d", l->err);
	if (*l->role != '\0')
		field(&o, "S3B_ROLE=%s", l->role);
	if (*l->disk != '\0')
		field(&o, "S3B_DISK=%s", l->disk);
	field(&o, "MESSAGE=%s%s%s", self ? "" : l->role, self ? "" : ": ", l->text);
	pairs(&o, l->text);
	return (o.used);
}

int
journal_open(void)
{
	if (sock < 0)
		sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return (-errno);
	return (access(JOURNAL_SOCKET, W_OK) < 0 ? -errno : 0);
}

/* Not connected, so that a journal that was started anew is found again. */
int
journal_send(const struct journal_line *l)
{
	static const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
	char buf[LINE_ROOM];
	size_t len = journal_compose(l, buf, sizeof(buf));
	ssize_t n;

	do
		n = sendto(sock, buf, len, MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to));
	while (n < 0 && errno == EINTR);
	return (n < 0 ? -errno : 0);
}
