/* SPDX-License-Identifier: ISC */
/*
 * cond.c -- conditional requests, byte ranges and dates (see cond.h).
 */
#include "tests/server/cond.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
cond_etag_in(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	for (const char *p = list; *p != '\0';) {
		const char *end;

		p += strspn(p, ", \t");
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		end = p + strcspn(p, ", \t");
		if (end - p >= 2 && *p == '"' && end[-1] == '"') {
			if ((size_t)(end - p) - 2 == len && memcmp(p + 1, etag, len) == 0)
				return (1);
		} else if ((size_t)(end - p) == len && memcmp(p, etag, len) == 0) {
			return (1);
		} else if (end - p == 1 && *p == '*') {
			return (1);
		}
		p = end;
	}
	return (0);
}

int
cond_read_check(const struct cond_read *c, const char *etag, time_t mtime)
{
	time_t t;

	if (c->if_match != NULL) {
		if (!cond_etag_in(c->if_match, etag))
			return (412);
	} else if (c->if_unmodified_since != NULL) {
		if (date_parse(c->if_unmodified_since, &t) == 0 && mtime > t)
			return (412);
	}
	if (c->if_none_match != NULL)
		return (cond_etag_in(c->if_none_match, etag) ? 304 : 0);
	if (c->if_modified_since != NULL && date_parse(c->if_modified_since, &t) == 0 && mtime <= t)
		return (304);
	return (0);
}

int
cond_range(const char *range, uint64_t size, uint64_t *ret_off, uint64_t *ret_len)
{
	unsigned long long first, last;
	char *end;

	*ret_off = 0;
	*ret_len = size;
	if (range == NULL || strncmp(range, "bytes=", 6) != 0 || strchr(range, ',') != NULL)
		return (200);
	range += 6;
	if (*range == '-') {
		last = strtoull(range + 1, &end, 10);
		if (!isdigit((unsigned char)range[1]) || *end != '\0')
			return (200);
		if (last == 0 || size == 0)
			return (416);
		*ret_len = last < size ? last : size;
		*ret_off = size - *ret_len;
		return (206);
	}
	if (!isdigit((unsigned char)*range))
		return (200);
	first = strtoull(range, &end, 10);
	if (*end++ != '-')
		return (200);
	last = size - 1;
	if (*end != '\0') {
		if (!isdigit((unsigned char)*end))
			return (200);
		last = strtoull(end, &end, 10);
		if (*end != '\0' || last < first)
			return (200);
	}
	if (first >= size)
		return (416);
	*ret_off = first;
	*ret_len = (last < size - 1 ? last : size - 1) - first + 1;
	return (206);
}

static const char *const month[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void
date_http(time_t t, char ret_text[40])
{
	static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(ret_text, 40, "%s, %02d %s %04d %02d:%02d:%02d GMT", day[tm.tm_wday % 7],
	    tm.tm_mday, month[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
date_iso(time_t t, char ret_text[40])
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(ret_text, 40, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

int
date_parse(const char *s, time_t *ret_time)
{
	struct tm tm = {0};
	char name[4], zone[6];
	int n = -1;

	if (sscanf(s, "%4d%2d%2dT%2d%2d%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		&tm.tm_min, &tm.tm_sec, &n) == 6 &&
	    n == 16 && s[n] == '\0') {
		tm.tm_mon--;
	} else if (sscanf(s, "%*3s, %2d %3s %4d %2d:%2d:%2d %5s", &tm.tm_mday, name, &tm.tm_year,
		       &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) == 7 &&
		   (strcmp(zone, "GMT") == 0 || strcmp(zone, "+0000") == 0)) {
		for (tm.tm_mon = 0; tm.tm_mon < 12; tm.tm_mon++) {
			if (strcmp(month[tm.tm_mon], name) == 0)
				break;
		}
	} else {
		return (-EINVAL);
	}
	if (tm.tm_mon < 0 || tm.tm_mon > 11)
		return (-EINVAL);
	tm.tm_year -= 1900;
	*ret_time = timegm(&tm);
	return (0);
}
