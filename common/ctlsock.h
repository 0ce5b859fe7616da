/* SPDX-License-Identifier: ISC */
/*
 * ctlsock.h -- lines over the control socket, for its clients; and its protocol.
 *
 * Process:  s3backerctl, and s3backerd as a client of itself (stop, status, restart).
 * Threads:  one per connection.     Errors: -errno; -ETIMEDOUT at the deadline; -EPIPE at the end.
 *
 * One JSON object per line in both directions.  "v" is CTL_VERSION; members that the reader does
 * not know are ignored, so that either side may be newer.
 *
 *	-> {"v":1,"cmd":"flush","config":"/etc/s3backer.conf"}
 *	<- {"v":1,"type":"progress","what":"upload","doneBytes":1,"totalBytes":9,
 *	    "bytesPerSec":1,"leftSec":8}			any number of times
 *	<- {"v":1,"type":"result","ok":true,"data":{...}}	exactly one per request
 *	<- {"v":1,"type":"result","ok":false,"exit":1,"error":"one clear line"}
 *
 * "config" is optional: a daemon that serves another configuration refuses with exit 3.
 */
#ifndef S3B_COMMON_CTLSOCK_H
#define S3B_COMMON_CTLSOCK_H

#include <stddef.h>
#include <stdint.h>

#define CTL_VERSION  1
#define CTL_LINE_MAX 262144

/* Exit codes of both programs. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_RUNNING = 3, EXIT_TIMED_OUT = 4 };

struct ctl_conn {
	int	 fd;
	size_t	 used, line_end;	/* bytes in buf; length of the line handed out last */
	char	*buf;			/* CTL_LINE_MAX bytes */
};

int  ctl_connect(const char *path, struct ctl_conn *ret_conn);
void ctl_close(struct ctl_conn *);	/* NULL-safe, idempotent */
int  ctl_send(struct ctl_conn *, const char *line);	/* without the newline */
/* Borrowed until the next call.  deadline_us: monotonic. */
int  ctl_recv(struct ctl_conn *, uint64_t deadline_us, char **ret_line);

#endif
