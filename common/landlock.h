/* SPDX-License-Identifier: ISC */
/*
 * landlock.h -- the files a process may open from now on (Landlock, Linux 5.13; landlock(7)).
 *
 * Process:  a role, once; no_new_privs must be set.  Threads: before threads start, they inherit it.
 * What is open already stays as it is.  Besides files: no TCP port of our own, no signal to anybody
 * outside and no abstract socket, as far as the kernel knows of that.
 * A rule for a single file is a rule for that file, not for its name: landlock_stale() says that one
 * was replaced, and that only a process that starts anew can read the new one.
 * Errors:   -ENOSYS: the kernel has none of it; else -errno.
 */
#ifndef S3B_COMMON_LANDLOCK_H
#define S3B_COMMON_LANDLOCK_H

#include <stdbool.h>

enum landlock_use {
	LANDLOCK_READ,		/* read it, and all below it; load libraries from there */
	LANDLOCK_CHANGE		/* files below it may be made, written, renamed and removed */
};

struct landlock_path {
	const char	 *path;	/* borrowed until the process ends; one that is not there is no error */
	enum landlock_use use;
};

int	    landlock_confine(const struct landlock_path *, unsigned n, bool connect_tcp);
const char *landlock_stale(void);	/* the file that was replaced, or NULL */

#endif
