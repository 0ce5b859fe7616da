/* SPDX-License-Identifier: ISC */
/*
 * log.h -- one line per event, to stderr, syslog, the journal or a file.
 *
 * Process:  all; each opens its own.  Threads: any, no lock held across the write.
 * Form:     `uploader.3: put failed, will retry: block=812 try=4 http=503 wait_ms=900`
 * Levels:   err = a promise is at risk; warn = degraded, healing; info = start, stop, death,
 *           recovery; debug = for us.  Trace is switched by area while running.
 * Repeats:  the same text again, or one message many times a second, is counted and not
 *           written; the count follows when it ends.
 * Secrets:  never; where one would be useful, log_redact().
 * Errors:   none are returned, errno is kept.  Before log_open() everything from warn up goes
 *           to stderr.
 */
#ifndef S3B_COMMON_LOG_H
#define S3B_COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LEVEL_ERR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

/* What `s3backerctl trace` can switch; the names are in log_area_name(). */
enum log_area {
	TRACE_IPC,	/* rings, bells, messages */
	TRACE_FUSE,	/* requests of the kernel */
	TRACE_CACHE,	/* slots, eviction, read-ahead, write-back */
	TRACE_COMMIT,	/* journal, table, recovery */
	TRACE_HTTP,	/* requests to the store and their replies */
	TRACE_STORE,	/* what the requests are for: blocks, token, lists */
	TRACE_CRED,	/* where credentials come from; never what they are */
	TRACE_PROC,	/* spawning and burying */
	TRACE_CTL,	/* the control socket */
	TRACE_NAREAS
};

#define LOG_DISK_ENV "S3BACKER_DISK"	/* tells the roles the name of the disk */

/* Lines with a MESSAGE_ID in the journal (log_events.def). */
enum log_event {
	EVENT_NONE,
#define LOG_EVENT(name, id) EVENT_##name,
#include "common/log_events.def"
#undef LOG_EVENT
};

/*
 * role: "cachemgr", "uploader.3"; copied.  to: "auto" (stderr if foreground, else syslog),
 * "stderr", "syslog", "journal" (with fields, journal.h) or an absolute file name (appended to, mode
 * 0640).  level: "err", "warn",
 * "info" or "debug"; NULL is "info".  A file or journal that cannot be opened is reported to syslog and
 * stderr, and stderr is used.  May be called again to change any of them.
 */
void	log_open(const char *role, const char *to, const char *level, bool foreground);
void	log_close(void);
void	log_set_disk(const char *name);		/* S3B_DISK of the journal; copied */
bool	log_to_syslog(void);			/* which connects again when syslogd starts anew */
bool	log_stderr_is_journal(void);		/* does systemd read our stderr? */

int	log_set_level(const char *level);	/* 0, or -EINVAL and nothing changed */
int	log_level_parse(const char *level);	/* enum log_level or -EINVAL */
bool	log_enabled(enum log_level);

/* Trace areas: bit n is area n.  With a shared word, another process can switch them. */
void	log_set_trace(uint32_t mask);
void	log_share_trace(const _Atomic uint32_t *word);	/* NULL: back to the private mask */
const char *log_area_name(enum log_area);
int	log_area_parse(const char *name);	/* enum log_area or -EINVAL */
bool	log_tracing(enum log_area);

/* err is 0 or a negative errno, whose text is appended. */
void	log_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_event(enum log_event, enum log_level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void	log_trace(enum log_area, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes the counts of repeats that are still held back; before an exit or a long sleep. */
void	log_flush(void);

/* "***" for anything, so that a secret is never one careless %s away from the log. */
const char *log_redact(const char *secret);

#endif
