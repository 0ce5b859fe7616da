/* SPDX-License-Identifier: ISC */
/*
 * cleanup.h -- locals that close or free themselves, and the visible way to keep them.
 *
 * Process:  all.  Threads: any.
 * Use:      AUTO_FD int fd = -1;  ...  *ret_fd = fd_take(&fd);
 *           AUTO_FREE char *s = NULL;  ...  return (ptr_take(&s));
 * Errors:   none; errno survives the end of the scope, so `return (-errno)` is safe.
 */
#ifndef S3B_COMMON_CLEANUP_H
#define S3B_COMMON_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO_FD   __attribute__((cleanup(cleanup_fd)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FILE __attribute__((cleanup(cleanup_file)))

static inline void
cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Takes the address of any object pointer; void ** would not convert from char **. */
static inline void
cleanup_free(void *pp)
{
	int saved = errno;

	free(*(void **)pp);
	*(void **)pp = NULL;
	errno = saved;
}

static inline void
cleanup_file(FILE **fp)
{
	int saved = errno;

	if (*fp != NULL)
		fclose(*fp);
	*fp = NULL;
	errno = saved;
}

/* Ownership leaves here: the variable no longer closes what it held. */
static inline int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return (taken);
}

/* The same for a pointer; the type is that of the variable. */
#define ptr_take(pp)                                                                               \
	__extension__({                                                                            \
		__typeof__(pp) ptr_take_from = (pp);                                               \
		__typeof__(*ptr_take_from) ptr_take_value = *ptr_take_from;                        \
		*ptr_take_from = NULL;                                                             \
		ptr_take_value;                                                                    \
	})

#endif
