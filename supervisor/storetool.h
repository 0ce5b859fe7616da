/* SPDX-License-Identifier: ISC */
/*
 * storetool.h -- questions to the store, asked through an uploader of its own.
 *
 * s3backerd has no network.  Before there is a segment, and after there was one, an uploader
 * without one answers single lines: see common/role.h.  It lives for one conversation.
 *
 * Waits up to a limit for each answer; that is why it is used only while nobody depends on the
 * loop.  Errors: 0 or -errno, and one clear line for the user in *ret_error.
 */
#ifndef S3B_SUPERVISOR_STORETOOL_H
#define S3B_SUPERVISOR_STORETOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/words.h"

struct vault;

struct storetool {
	pid_t	pid;
	int	sock, err_fd;
	int	cancel_fd;	/* signalfd: TERM and INT end the waiting; -1: none */
	int	parent_fd;	/* pipe to who typed `start`: his leaving ends it, too; -1: none */
	struct words words;	/* what it wrote to stderr */
	char	answer[4096];	/* the last one, without the first word */
};

/* quiet: its stderr is kept for the error line instead of being shared. */
int	storetool_open(struct storetool *, const struct vault *, bool foreground, char **ret_error);
void	storetool_close(struct storetool *);	/* idempotent */

/* Nothing is asked for so long, microseconds; ends early, as an ask does, with a signal or the tool. */
int	storetool_pause(struct storetool *, uint64_t us, char **ret_error);

/* 0: "ok ..." is in answer.  1: "held ..." is.  Else -errno of the "error ..." or our own. */
int	storetool_ask(struct storetool *, uint64_t limit_us, char **ret_error, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

/* Value of `key` in an answer, percent-decoded; false (and buf empty) if it is not there. */
bool	storetool_value(const char *answer, const char *key, char *buf, size_t len);
uint64_t storetool_number(const char *answer, const char *key, int base);

/* Text as a value: what is not plain becomes %XX.  Cut off at the end of buf. */
void	storetool_encode(const char *text, char *buf, size_t len);

#endif
