/* SPDX-License-Identifier: ISC */
/*
 * seccomp.h -- the system calls a role may make from now on: a list of what it needs, nothing else.
 *
 * Process:  a role, once; no_new_privs must be set.  Threads: before threads start, they inherit it.
 * Refused:  EPERM, so that a library that tries goes on without.  Calls of another architecture's
 *           table end the process.
 * Cost:     none where the answer depends on the number alone (the kernel remembers it, 5.11);
 *           a few comparisons for the calls whose arguments are looked at.
 * Errors:   -ENOSYS: this architecture or kernel has no filters; else -errno.
 */
#ifndef S3B_COMMON_SECCOMP_H
#define S3B_COMMON_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

struct seccomp_need {
	bool	 network;	/* TCP and UDP, names looked up */
	bool	 files;		/* may open files (which ones: landlock.h) */
	bool	 syslog;	/* a datagram socket again, when syslogd was started anew */
	int	 slots_fd;	/* -1, or: only pread and pwrite of from..to of this descriptor */
	uint64_t slots_from, slots_to;
};

int seccomp_confine(const struct seccomp_need *);

#endif
