/* SPDX-License-Identifier: ISC */
/*
 * site.h -- what a command needs that works on a disk which does not run: info, export, import, copy,
 * resize.
 *
 * Process:  s3backerd, typed by a user or exec'd by s3backerctl.   Threads: none.
 * Owns:     the lock of the pid file, so that nobody starts the disk here meanwhile, and for those
 *           that write the mount token, so that nobody does elsewhere.
 * Errors:   0 or -errno; what went wrong has been printed.
 *
 * The token of a command that was killed is taken over by the next command on the same disk: its
 * state file, STATE.work, is another than that of the mounted disk, and so is its number.  A cache
 * file therefore finds a token that is not its own, and asks the bucket again about everything.
 */
#ifndef S3B_SUPERVISOR_SITE_H
#define S3B_SUPERVISOR_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/storetool.h"

struct super;

struct site {
	struct super	*s;
	struct storetool tool;
	int		 sig_fd;	/* TERM, INT, HUP */
	bool		 locked, stopped;
};

/* Secrets, an uploader that answers questions.  lock: nothing else may be done to it here. */
int	site_open(struct super *, bool lock, struct site *ret_site);
/* What the bucket and the configuration say: s->size, s->shm.geo.block_size. */
int	site_sizes(struct site *);
/* Nobody may have it mounted: what would be read could change.  force: they may. */
int	site_check_idle(struct site *, bool force);
/* The same, and it is ours from here on. */
int	site_take(struct site *);
/* Did somebody press ^C?  Asked again and again; it stays true. */
bool	site_stopped(struct site *);
/* keep_token: the work is half done, and the same command will go on with it. */
void	site_close(struct site *, bool keep_token);

/* BUCKET/PREFIX, or the directory: what it is called to the user. */
const char *site_label(const struct super *, char *buf, size_t len);
/* "s3backerd: ..." on stderr; returns err. */
int	site_complain(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
