/* SPDX-License-Identifier: ISC */
/*
 * fence.h -- may we change anything in the bucket at this moment?
 *
 * Process:  uploader.  Threads: any.
 * Units:    token_until is CLOCK_BOOTTIME, microseconds: a machine that slept finds its lease over.
 * cachemgr looks before it sends a request; this is looked at again when the request is about to
 * leave, and while its body does: what was stopped in between must not write (cachemgr/lease.c).
 */
#ifndef S3B_UPLOADER_FENCE_H
#define S3B_UPLOADER_FENCE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/inject.h"
#include "common/timeutil.h"
#include "ipc/state.h"

/* How a backend says that it did not write for this reason; no transport has this one. */
#define FENCE_ERROR (-EKEYEXPIRED)

static inline bool
fence_closed(const struct ipc_state *st)
{
	uint64_t until;

	if (INJECT_FAIL("mutate.p6-no-fence"))
		return (false);
	if (st == NULL) /* the store tool: it takes the token, or gives it back */
		return (false);
	until = atomic_load(&st->token_until);
	return (atomic_load(&st->fenced) != 0 || (until != 0 && boot_us() >= until));
}

#endif
