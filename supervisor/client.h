/* SPDX-License-Identifier: ISC */
/*
 * client.h -- stop, restart and status: this program as a client of the one that runs.
 *
 * Returns an exit code; what went wrong has been printed.
 */
#ifndef S3B_SUPERVISOR_CLIENT_H
#define S3B_SUPERVISOR_CLIENT_H

#include <stdbool.h>

#include "common/diskname.h"

struct client_target {
	struct disk_paths paths;
	const char	 *config;	/* absolute; NULL: whatever answers on the socket */
};

int	client_stop(const struct client_target *, bool keep_dirty);
int	client_restart(const struct client_target *);
int	client_status(const struct client_target *);

#endif
