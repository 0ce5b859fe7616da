/* SPDX-License-Identifier: ISC */
/*
 * log.c -- one line per event; see log.h.
 *
 * Process:  all.  Threads: any.  Where the lines go is set by log_open() while no other thread
 *           logs, or changed under their feet by replacing what the descriptor stands for
 *           (dup3), so that no lock is needed to write.
 * Writes:   one write(2) per line, shorter than PIPE_BUF, so that lines of several processes
 *           on one pipe or file never mix.
 * Follows:  sd-daemon(3): "<N>" before a line on a stream of the journal is its priority.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/journal.h"
#include "common/log_limit.h"
#include "common/timeutil.h"

#define TEXT_MAX     1024 /* of one message before sanitising */
#define LINE_MAX_LEN 2048 /* of one line, below PIPE_BUF */

enum target {
	TO_STDERR,
	TO_SYSLOG,
	TO_JOURNAL,
	TO_FILE
};

static const char *const level_words[] = {"err", "warn", "info", "debug"};
static const int level_priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
static const char *const area_names[TRACE_NAREAS] = {
    [TRACE_IPC] = "ipc",
    [TRACE_FUSE] = "fuse",
    [TRACE_CACHE] = "cache",
    [TRACE_COMMIT] = "commit",
    [TRACE_HTTP] = "http",
    [TRACE_STORE] = "store",
    [TRACE_CRED] = "cred",
    [TRACE_PROC] = "proc",
    [TRACE_CTL] = "ctl",
};

static const char *const event_ids[] = {
    "",
#define LOG_EVENT(name, id) id,
#include "common/log_events.def"
#undef LOG_EVENT
};

/* What a line carries beside its text. */
struct about {
	int level, err; /* enum log_level; positive errno or 0 */
	enum log_event event;
};

static char role[48], disk[64];
static enum target target = TO_STDERR;
static int log_fd = STDERR_FILENO;
static bool on_journal;
static atomic_int level_max = LEVEL_WARN;
static _Atomic uint32_t private_trace;
static const _Atomic uint32_t *_Atomic trace_word = &private_trace;

/* Length of the UTF-8 sequence at p, 0 if it is none or a C1 control, which terminals obey. */
static size_t
utf8_len(const unsigned char *p)
{
	size_t len = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	if (p[0] > 0xf4)
		return (0);
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return (0);
	if (p[0] == 0xc2 && p[1] < 0xa0)
		return (0);
	return (len);
}

/* What came from a server or a user must not forge lines or drive a terminal. */
static void
sanitise(const char *text, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	char *end = out + size - 5; /* room for one \xNN and the NUL */
	size_t len;

	while (*p != '\0' && out < end) {
		if (*p >= 0x20 && *p < 0x7f) {
			*out++ = (char)*p++;
		} else if (*p >= 0x80 && (len = utf8_len(p)) > 0) {
			memcpy(out, p, len);
			out += len;
			p += len;
		} else if (*p == '\n' && p[1] == '\0') {
			break;
		} else {
			out += sprintf(out, "\\x%02x", *p++);
		}
	}
	*out = '\0';
}

static int
write_journal(const struct about *a, const char *text)
{
	struct journal_line l = {.priority = level_priority[a->level],
	    .err = a->err,
	    .role = role,
	    .disk = disk,
	    .id = event_ids[a->event],
	    .text = text};

	return (journal_send(&l));
}

static void
write_line(const struct about *a, const char *text)
{
	int level = a->level;
	char line[LINE_MAX_LEN], stamp[TIME_ISO_LEN], mark[8] = "";
	ssize_t n;
	int len;

	if (target == TO_SYSLOG) {
		syslog(level_priority[level], "%s", text);
		return;
	}
	if (target == TO_JOURNAL && write_journal(a, text) == 0)
		return;
	if (on_journal)
		snprintf(mark, sizeof(mark), "<%d>", level_priority[level]);
	len = snprintf(line, sizeof(line), "%s%s%s%s%s%s\n", mark,
	    target == TO_FILE ? time_iso_basic(wall_us(), stamp) : "", target == TO_FILE ? " " : "",
	    role, *role != '\0' ? ": " : "", text);
	if (len >= (int)sizeof(line)) {
		len = sizeof(line) - 1;
		line[len - 1] = '\n';
	}
	do
		n = write(log_fd, line, (size_t)len);
	while (n < 0 && errno == EINTR);
	/* A full pipe or disk must not stop the disk's users: the line is lost. */
}

static void
write_held(const struct log_held *held)
{
	struct about about = {.level = held->level};
	char text[LIMIT_TEXT + 64];

	snprintf(
	    text, sizeof(text), "%u more like this were not logged: %s", held->count, held->text);
	write_line(&about, text);
}

static void log_vline(const struct about *, bool limited, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
log_vline(const struct about *a, bool limited, const char *fmt, va_list ap)
{
	char raw[TEXT_MAX], text[TEXT_MAX + 256], errbuf[128];
	struct log_held held;
	int saved = errno, n;
	uint64_t now;

	errno = a->err; /* so that %m in a format means what log_err() was given */
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		strlcpy(raw, fmt, sizeof(raw));
	else if ((size_t)n >= sizeof(raw))
		memcpy(raw + sizeof(raw) - 4, "...", 4);
	if (a->err != 0) {
		strlcat(raw, ": ", sizeof(raw));
		strlcat(raw, strerror_r(a->err, errbuf, sizeof(errbuf)), sizeof(raw));
	}
	sanitise(raw, text, sizeof(text));

	now = now_us();
	if (!limited) {
		write_line(a, text);
	} else if (log_limit_admit(fmt, text, a->level, now, &held)) {
		if (held.count > 0)
			write_held(&held);
		write_line(a, text);
		if (log_limit_expired(now, false, &held))
			write_held(&held);
	}
	errno = saved;
}

#define LOG_BODY(lev, limited, error, ev)                                                          \
	do {                                                                                       \
		struct about about = {.level = (lev), .err = -(error), .event = (ev)};             \
		va_list ap;                                                                        \
		if (!log_enabled(about.level))                                                     \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		log_vline(&about, (limited), fmt, ap);                                             \
		va_end(ap);                                                                        \
	} while (0)

void
log_err(int err, const char *fmt, ...)
{
	LOG_BODY(LEVEL_ERR, true, err, EVENT_NONE);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LEVEL_WARN, true, 0, EVENT_NONE);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LEVEL_INFO, true, 0, EVENT_NONE);
}

void
log_event(enum log_event event, enum log_level level, const char *fmt, ...)
{
	LOG_BODY(level, true, 0, event);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LEVEL_DEBUG, false, 0, EVENT_NONE);
}

void
log_trace(enum log_area area, const char *fmt, ...)
{
	struct about about = {.level = LEVEL_DEBUG};
	char prefixed[256];
	va_list ap;

	if (!log_tracing(area))
		return;
	/* The format stays a format: only the name of the area, which has no %, is added. */
	snprintf(prefixed, sizeof(prefixed), "[%s] %s", log_area_name(area), fmt);
	va_start(ap, fmt);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	log_vline(&about, false, prefixed, ap);
#pragma GCC diagnostic pop
	va_end(ap);
}

void
log_flush(void)
{
	struct log_held held;
	int saved = errno;

	while (log_limit_expired(now_us(), true, &held))
		write_held(&held);
	errno = saved;
}

int
log_level_parse(const char *level)
{
	for (int i = 0; i <= LEVEL_DEBUG; i++)
		if (strcmp(level, level_words[i]) == 0)
			return (i);
	return (-EINVAL);
}

int
log_set_level(const char *level)
{
	int n = log_level_parse(level);

	if (n < 0)
		return (n);
	atomic_store(&level_max, n);
	return (0);
}

bool
log_enabled(enum log_level level)
{
	return ((int)level <= atomic_load_explicit(&level_max, memory_order_relaxed));
}

void
log_set_trace(uint32_t mask)
{
	atomic_store(&private_trace, mask);
}

void
log_share_trace(const _Atomic uint32_t *word)
{
	atomic_store(&trace_word, word != NULL ? word : &private_trace);
}

const char *
log_area_name(enum log_area area)
{
	return ((unsigned)area < TRACE_NAREAS ? area_names[area] : "?");
}

int
log_area_parse(const char *name)
{
	for (int i = 0; i < TRACE_NAREAS; i++)
		if (strcmp(name, area_names[i]) == 0)
			return (i);
	return (-EINVAL);
}

bool
log_tracing(enum log_area area)
{
	const _Atomic uint32_t *word = atomic_load_explicit(&trace_word, memory_order_acquire);

	return ((atomic_load_explicit(word, memory_order_relaxed) >> area & 1) != 0);
}

const char *
log_redact(const char *secret)
{
	(void)secret;
	return ("***");
}

bool
log_to_syslog(void)
{
	return (target == TO_SYSLOG);
}

bool
log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"); /* device and inode of the stream */
	unsigned long long dev, ino;
	struct stat st;

	return (stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino);
}

static int
open_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return (-errno);
	if (log_fd == STDERR_FILENO)
		log_fd = fd;
	else {
		dup3(fd, log_fd, O_CLOEXEC);
		close(fd);
	}
	return (0);
}

void
log_open(const char *name, const char *to, const char *level, bool foreground)
{
	enum target want = TO_STDERR;
	int saved = errno, r = 0;

	strlcpy(role, name, sizeof(role));
	if (level == NULL || log_set_level(level) < 0)
		atomic_store(&level_max, LEVEL_INFO);
	if (to == NULL || strcmp(to, "auto") == 0)
		want = foreground ? TO_STDERR : TO_SYSLOG;
	else if (strcmp(to, "syslog") == 0)
		want = TO_SYSLOG;
	else if (strcmp(to, "journal") == 0)
		want = (r = journal_open()) == 0 ? TO_JOURNAL : TO_STDERR;
	else if (*to == '/')
		want = (r = open_file(to)) == 0 ? TO_FILE : TO_STDERR;

	if (want != TO_FILE && log_fd != STDERR_FILENO) {
		close(log_fd);
		log_fd = STDERR_FILENO;
	}
	openlog(role, LOG_NDELAY, LOG_DAEMON);
	on_journal = (want == TO_STDERR || want == TO_JOURNAL) && log_stderr_is_journal();
	target = want;
	if (r < 0) {
		syslog(LOG_ERR, "cannot log to %s: %s", to, strerror(-r));
		log_err(r, "cannot log to %s", to);
	}
	errno = saved;
}

void
log_set_disk(const char *name)
{
	strlcpy(disk, name != NULL ? name : "", sizeof(disk));
}

void
log_close(void)
{
	log_flush();
	if (log_fd != STDERR_FILENO) {
		close(log_fd);
		log_fd = STDERR_FILENO;
	}
	closelog();
	target = TO_STDERR;
}
