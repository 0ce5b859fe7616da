/* SPDX-License-Identifier: ISC */
/*
 * throttle.h -- writers slowed to the rate cachemgr asks for, without a thread that waits.
 *
 * Process:  frontend.
 * Threads:  throttle_admit() and throttle_hold() from any; throttle_run() completion thread only.
 * Units:    microseconds, monotonic.
 *
 * All writers share one virtual clock: each write moves it on by the time its bytes take at the
 * rate, and its answer is due when real time has caught up.  The clock never runs further ahead than
 * THROTTLE_MOST_US, so no write waits longer than that, however many there are at once.
 */
#ifndef S3B_FRONTEND_THROTTLE_H
#define S3B_FRONTEND_THROTTLE_H

#include <stdint.h>

#define THROTTLE_MOST_US  900000u /* longest wait of one write */
#define THROTTLE_SLACK_US 1000u	  /* a shorter wait is not worth an alarm; it stays owed */

struct throttle;

int	 throttle_open(struct throttle **ret_throttle);
void	 throttle_close(struct throttle **);	/* NULL-safe; what is held is not answered */

/* When a write of `bytes` may be answered; 0: now.  rate: bytes per second, 0 = no limit. */
uint64_t throttle_admit(struct throttle *, uint64_t rate, uint64_t bytes, uint64_t now);

/*
 * Calls `act(arg)` from throttle_run() once `due` has passed.  True if this is now the first that
 * is due, so that the completion thread must be woken.  -ENOMEM: cannot hold, act at once.
 */
int	 throttle_hold(struct throttle *, uint64_t due, void (*act)(void *), void *arg);
/* Returns when the next is due. */
uint64_t throttle_run(struct throttle *, uint64_t now);

#endif
