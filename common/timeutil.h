/* SPDX-License-Identifier: ISC */
/*
 * timeutil.h -- clocks and deadlines.
 *
 * Process:  all.  Threads: any.
 * Units:    microseconds.  A deadline is an absolute time of now_us(); TIME_NEVER is later
 *           than all of them.  now_us() is CLOCK_MONOTONIC: the same in every process of the
 *           machine, so it may travel in messages; it is not the time of day.
 * Errors:   none; additions saturate at TIME_NEVER.
 */
#ifndef S3B_COMMON_TIMEUTIL_H
#define S3B_COMMON_TIMEUTIL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TIME_NEVER UINT64_MAX
#define US_PER_MS  UINT64_C(1000)
#define US_PER_S   UINT64_C(1000000)

/* Seconds that somebody else has said: below 0 is 0, and more than 30,000 years are no more. */
static inline uint64_t
us_of_seconds(double s)
{
	return (s > 0 ? s < 1e12 ? (uint64_t)(s * 1e6) : UINT64_C(1000000000000) * US_PER_S : 0);
}

uint64_t now_us(void);	/* CLOCK_MONOTONIC */
uint64_t boot_us(void);	/* CLOCK_BOOTTIME: goes on while the machine sleeps; for leases */
uint64_t wall_us(void);	/* CLOCK_REALTIME, since 1970; for humans, tokens and signatures */

uint64_t deadline_in_us(uint64_t delay_us);		/* now + delay */
uint64_t deadline_add_us(uint64_t deadline, uint64_t delay_us);
uint64_t deadline_left_us(uint64_t deadline);		/* 0 when past, TIME_NEVER stays */
int	 deadline_left_ms(uint64_t deadline);		/* for poll(2): rounded up, -1 = never */
int	 deadline_passed(uint64_t deadline);

struct timespec us_to_timespec(uint64_t us);
uint64_t timespec_to_us(const struct timespec *);

/* "1.2 s", "4 min 10 s", "3 h 2 min": for status lines.  Returns buf. */
char	*duration_text(uint64_t us, char *buf, size_t len);

/* 20261124T194500Z for SigV4 and the mount token; Tue, 24 Nov 2026 19:45:00 GMT for Date. */
#define TIME_ISO_LEN  17
#define TIME_HTTP_LEN 30
char	*time_iso_basic(uint64_t wall, char buf[TIME_ISO_LEN]);
char	*time_http_date(uint64_t wall, char buf[TIME_HTTP_LEN]);

#endif
