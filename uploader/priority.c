/* SPDX-License-Identifier: ISC */
/*
 * priority.c -- who gets the processor.
 *
 * Transfers wait for the network most of the time, and what they burn on hashes and on copying must not
 * make readers of the cache wait for a processor: the threads that hash, and the one that transfers
 * while it sends, run at NICENESS.  While it does not send, somebody may wait for what it receives,
 * and it has the priority it was started with.
 *
 * Going back up needs RLIMIT_NICE, which only root with CAP_SYS_RESOURCE may raise.  Where it cannot be had
 * the process stays down.
 */
#include <stdbool.h>
#include <sys/resource.h>

#include "uploader/uploader.h"

#include "uploader/guard.h"

#define NICENESS 10

void
priority_open(struct uploader *up)
{
	struct rlimit lim;
	rlim_t need;

	up->nice = getpriority(PRIO_PROCESS, 0);
	if (up->nice >= NICENESS) /* who started us at less than that has reasons */
		return;
	need = (rlim_t)(20 - up->nice);
	if (getrlimit(RLIMIT_NICE, &lim) == 0 && lim.rlim_cur < need) {
		lim = (struct rlimit){need, lim.rlim_max > need ? lim.rlim_max : need};
		(void)setrlimit(RLIMIT_NICE, &lim);
	}
	/* Threads inherit it. */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

void
priority_puts(struct uploader *up, int change)
{
	bool sent = up->nputs > 0;

	up->nputs += (unsigned)change;
	/* Of this thread: the kernel's idea of a process here. */
	if (up->nice < NICENESS && (sent != (up->nputs > 0) || change == 0))
		(void)setpriority(PRIO_PROCESS, 0, up->nputs > 0 ? NICENESS : up->nice);
}
