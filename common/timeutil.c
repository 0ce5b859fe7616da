/* SPDX-License-Identifier: ISC */
/*
 * timeutil.c -- clocks and deadlines; see timeutil.h.
 *
 * Process:  all.  Threads: any; no state, no locale (the HTTP date must be English).
 */
#include "common/timeutil.h"

#include <limits.h>
#include <stdio.h>

#include "common/check.h"

static uint64_t
clock_us(clockid_t clock)
{
	struct timespec ts;

	MUST(clock_gettime(clock, &ts) == 0);
	return (timespec_to_us(&ts));
}

uint64_t
now_us(void)
{
	return (clock_us(CLOCK_MONOTONIC));
}

uint64_t
boot_us(void)
{
	return (clock_us(CLOCK_BOOTTIME));
}

uint64_t
wall_us(void)
{
	return (clock_us(CLOCK_REALTIME));
}

uint64_t
deadline_add_us(uint64_t deadline, uint64_t delay_us)
{
	uint64_t sum;

	return (__builtin_add_overflow(deadline, delay_us, &sum) ? TIME_NEVER : sum);
}

uint64_t
deadline_in_us(uint64_t delay_us)
{
	return (deadline_add_us(now_us(), delay_us));
}

uint64_t
deadline_left_us(uint64_t deadline)
{
	uint64_t now;

	if (deadline == TIME_NEVER)
		return (TIME_NEVER);
	now = now_us();
	return (deadline > now ? deadline - now : 0);
}

int
deadline_left_ms(uint64_t deadline)
{
	uint64_t left = deadline_left_us(deadline);

	if (left == TIME_NEVER)
		return (-1);
	/* Up, not down: poll(2) waking a millisecond early would spin until the time has come. */
	left = left / US_PER_MS + (left % US_PER_MS != 0);
	return (left > INT_MAX ? INT_MAX : (int)left);
}

int
deadline_passed(uint64_t deadline)
{
	return (deadline != TIME_NEVER && now_us() >= deadline);
}

struct timespec
us_to_timespec(uint64_t us)
{
	return ((struct timespec){
	    .tv_sec = (time_t)(us / US_PER_S),
	    .tv_nsec = (long)(us % US_PER_S) * 1000,
	});
}

uint64_t
timespec_to_us(const struct timespec *ts)
{
	return ((uint64_t)ts->tv_sec * US_PER_S + (uint64_t)ts->tv_nsec / 1000);
}

char *
duration_text(uint64_t us, char *buf, size_t len)
{
	unsigned long long s = us / US_PER_S;

	if (us == TIME_NEVER)
		snprintf(buf, len, "for ever");
	else if (s < 1)
		snprintf(buf, len, "%llu ms", (unsigned long long)(us / US_PER_MS));
	else if (s < 60)
		snprintf(buf, len, "%llu.%llu s", s,
		    (unsigned long long)(us % US_PER_S / (US_PER_S / 10)));
	else if (s < 3600)
		snprintf(buf, len, "%llu min %llu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, len, "%llu h %llu min", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, len, "%llu d %llu h", s / 86400, s % 86400 / 3600);
	return (buf);
}

/* Seconds far outside the calendar (a damaged token) give 1970, never an unfilled struct. */
static void
wall_to_tm(uint64_t wall, struct tm *ret_tm)
{
	time_t t = (time_t)(wall / US_PER_S);

	if (gmtime_r(&t, ret_tm) == NULL || ret_tm->tm_year > 9999 - 1900) {
		t = 0;
		gmtime_r(&t, ret_tm);
	}
}

char *
time_iso_basic(uint64_t wall, char buf[TIME_ISO_LEN])
{
	struct tm tm;

	wall_to_tm(wall, &tm);
	MUST(strftime(buf, TIME_ISO_LEN, "%Y%m%dT%H%M%SZ", &tm) == TIME_ISO_LEN - 1);
	return (buf);
}

char *
time_http_date(uint64_t wall, char buf[TIME_HTTP_LEN])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char rest[32], date[32];
	struct tm tm;
	size_t n;

	wall_to_tm(wall, &tm);
	MUST(strftime(date, sizeof(date), "%d", &tm) != 0);
	n = strftime(rest, sizeof(rest), "%Y %H:%M:%S GMT", &tm);
	MUST(n == 17);
	snprintf(buf, TIME_HTTP_LEN, "%.3s, %.2s %.3s %.17s", days + tm.tm_wday * 3, date,
	    months + tm.tm_mon * 3, rest);
	return (buf);
}
