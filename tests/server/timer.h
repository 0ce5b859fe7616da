/* SPDX-License-Identifier: ISC */
/*
 * timer.h -- things to do later, and the server's bandwidth.
 *
 * Process:  s3testd.  Threads: anyone adds; one timer thread runs the callbacks, one at a time, so
 *           a callback must not block.
 * Owns:     nothing: `arg` is the callback's business.
 * Units:    microseconds of CLOCK_MONOTONIC; bytes per second.
 */
#ifndef S3TESTD_TIMER_H
#define S3TESTD_TIMER_H

#include <stdbool.h>
#include <stdint.h>

uint64_t now_us(void);

void timer_start(void);
void timer_at(uint64_t when_us, void (*fn)(void *), void *arg);
/* Run what is pending now, and everything added from here on at once.  Ends the thread. */
void timer_stop(void);
bool timer_stopping(void);

/*
 * A pipe of so many bytes per second, shared by whoever holds a pointer.  pace_reserve() takes the
 * next `n` bytes of it and says when they will have passed; rate 0 is no limit.
 */
struct pace {
	_Atomic uint64_t rate;
	_Atomic uint64_t next_us;
};

uint64_t pace_reserve(struct pace *, uint64_t n);

#endif
