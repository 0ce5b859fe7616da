/* SPDX-License-Identifier: ISC */
/*
 * ask.h -- one question to a running disk, with progress while it is being answered.
 *
 * Process:  s3backerctl.   Threads: one.
 * Errors:   exit codes of common/ctlsock.h; what went wrong has been printed.
 */
#ifndef S3B_CTL_ASK_H
#define S3B_CTL_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/ctlsock.h"

struct ask {
	char		 sock[108];
	char		*config;	/* absolute; NULL: whatever answers on the socket */
	uint64_t	 deadline_us;
	bool		 json;
	const char	*goes_on;	/* what Ctrl-C says of the work; NULL: it just ends us */
	struct ctl_conn	 conn;
};

/* The socket of -c FILE, of -s SOCKET, or of the one disk that runs.  Fills sock and config. */
int	ask_find(struct ask *, const char *config, const char *sock);
int	ask_open(struct ask *);
void	ask_close(struct ask *);
/* Takes the request.  EXIT_DONE: *ret_data is to be released. */
int	ask_run(struct ask *, json_t *request, json_t **ret_data);
/* Ctrl-C from here on says that the work goes on, where `goes_on` is set. */
void	ask_catch(const struct ask *);
/* The same for a command without arguments. */
int	ask_simple(struct ask *, const char *cmd, json_t **ret_data);

#endif
