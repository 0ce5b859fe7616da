/* SPDX-License-Identifier: ISC */
/*
 * slice.h -- how long this thread runs at a time before others get their turn.
 *
 * Since Linux 6.12 a thread may ask for another slice than the usual 3 ms or so (sched_setattr(2),
 * sched_runtime of SCHED_OTHER and SCHED_BATCH; EEVDF: I. Stoica and H. Abdel-Wahab 1995).  Its share of the
 * processors stays the same.  With a short slice it gets there sooner when it wakes up, which is what
 * somebody wants who answers in microseconds; with a long one later, and is interrupted less.
 *
 * Process:  any.  Threads: of the calling one, inherited by those it starts from then on; before the
 * process is confined.  Errors: none; an older kernel, or a policy that was chosen for us, stays as it is.
 */
#ifndef S3B_COMMON_SLICE_H
#define S3B_COMMON_SLICE_H

#include <stdint.h>

#define SLICE_SHORT_US 100   /* the shortest there is */
#define SLICE_LONG_US  10000

void slice_set(uint32_t us);

#endif
