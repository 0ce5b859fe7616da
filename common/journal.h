/* SPDX-License-Identifier: ISC */
/*
 * journal.h -- log lines with fields, to systemd's journal, without its library.
 *
 * Process:  all, by log.c only.   Threads: any, after journal_open().
 * Follows:  "Native Journal Protocol": one datagram of NAME=value lines to JOURNAL_SOCKET.  No
 *           value contains a newline (log.c has made \x0a of them), so the plain form is enough.
 * Errors:   0 or -errno; nothing waits.  Whoever calls writes the line elsewhere then.
 *
 *	MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, ERRNO, MESSAGE_ID	as usual
 *	S3B_ROLE	s3backerd, frontend, cachemgr, uploader.0 ...
 *	S3B_DISK	name of the disk
 *	S3B_BLOCK=812	each key=value of the text: "put failed: block=812 http=503"
 */
#ifndef S3B_COMMON_JOURNAL_H
#define S3B_COMMON_JOURNAL_H

#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal_line {
	int priority;		/* of syslog(3) */
	int err;		/* positive errno, 0 if none */
	const char *role, *disk, *id; /* "" where there is none */
	const char *text;
};

int	journal_open(void);	/* may be called again */
int	journal_send(const struct journal_line *);
/* The datagram by itself; its length, cut at whole fields when the room ends. */
size_t	journal_compose(const struct journal_line *, char *buf, size_t size);

#endif
