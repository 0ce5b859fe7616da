/* SPDX-License-Identifier: ISC */
/*
 * inject.h -- named places at which a test makes a process die, stop, wait or fail.
 *
 * Process:  all.  Threads: any.
 * Build:    nothing at all unless S3B_INJECT is defined (make INJECT=1).
 * Use:      INJECT("cachemgr.commit.after-table");
 *           if (INJECT_FAIL("uploader.put.no-space")) return (-ENOSPC);
 * Switch:   environment S3B_INJECT="name:action[:nth],..." read at the first use.  The action
 *           happens at the nth passage (default 1) and at no other; nth 0 is every passage.
 *           kill SIGKILL self   stop SIGSTOP self   abort      exit=N _exit(N)
 *           sleep=MS            fail INJECT_FAIL is true       log   a line in the log
 */
#ifndef S3B_COMMON_INJECT_H
#define S3B_COMMON_INJECT_H

#include <stdbool.h>

#ifdef S3B_INJECT
bool	inject_at(const char *name);
void	inject_set(const char *spec);	/* instead of the environment; NULL: read it again */
#define INJECT(name)      ((void)inject_at(name))
#define INJECT_FAIL(name) (inject_at(name))
#else
#define INJECT(name)      ((void)0)
#define INJECT_FAIL(name) (false)
#endif

#endif
