/* SPDX-License-Identifier: ISC */
#include "uploader/http_reply.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <bsd/string.h>

#include "common/timeutil.h"
#include "uploader/s3_http.h"

#include "uploader/guard.h"

/* Decimal digits and nothing else; 0 where it is not that. */
static uint64_t
whole_number(const char *s)
{
	uint64_t v = 0;

	if (*s == '\0')
		return (0);
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || v > (UINT64_MAX - 9) / 10)
			return (0);
		v = v * 10 + (uint64_t)(*s - '0');
	}
	return (v);
}

/* -1: not known.  What no file can be long is no length. */
static int64_t
content_length(const char *s)
{
	uint64_t v = whole_number(s);

	return (isdigit((unsigned char)*s) && v <= INT64_MAX ? (int64_t)v : -1);
}

static int64_t
http_date_us(const char *s)
{
	struct tm tm;
	const char *end;

	memset(&tm, 0, sizeof(tm));
	end = strptime(s, "%a, %d %b %Y %H:%M:%S", &tm);
	return (end != NULL ? (int64_t)timegm(&tm) * 1000000 : 0);
}

/* Seconds, or a date. */
static uint64_t
retry_after_us(const char *s)
{
	int64_t at = http_date_us(s), now = (int64_t)wall_us();

	if (at != 0)
		return (at > now ? (uint64_t)(at - now) : 0);
	return (whole_number(s) <= 86400 ? whole_number(s) * US_PER_S : 0);
}

/* A prefix of an encoding must not pass for the whole. */
static void
set_encoding(struct http_reply *r, const char *value)
{
	size_t have = strlen(r->encoding);

	if (have > 0) /* a second header line goes on with the list */
		have = strlcat(r->encoding, ",", sizeof(r->encoding));
	if (have >= sizeof(r->encoding) ||
	    strlcat(r->encoding, value, sizeof(r->encoding)) >= sizeof(r->encoding))
		r->encoding[sizeof(r->encoding) - 2] = '?';
}

static void
set_token(struct http_reply *r, const char *value)
{
	char *end;
	unsigned long v = strtoul(value, &end, 16);

	if (end != value && *end == '\0' && v <= UINT32_MAX) {
		r->token = (uint32_t)v;
		r->has_token = true;
	}
}

static void
set_range(struct http_reply *r, const char *value)
{
	const char *slash = strchr(value, '/');

	if (slash != NULL)
		r->range_total = whole_number(slash + 1);
}

static void
header(struct http_reply *r, const char *name, const char *value)
{
	if (strcasecmp(name, "ETag") == 0)
		(void)strlcpy(r->etag, value, sizeof(r->etag));
	else if (strcasecmp(name, "Content-Length") == 0)
		r->length = content_length(value);
	else if (strcasecmp(name, "Content-Encoding") == 0)
		set_encoding(r, value);
	else if (strcasecmp(name, "Content-Range") == 0)
		set_range(r, value);
	else if (strcasecmp(name, "Date") == 0)
		r->server_time_us = http_date_us(value);
	else if (strcasecmp(name, "Retry-After") == 0)
		r->retry_after_us = retry_after_us(value);
	else if (strcasecmp(name, "Location") == 0)
		(void)strlcpy(r->location, value, sizeof(r->location));
	else if (strcasecmp(name, "x-amz-bucket-region") == 0)
		(void)strlcpy(r->region, value, sizeof(r->region));
	else if (strcasecmp(name, "x-amz-meta-s3backer-blocksize") == 0)
		r->block_size = whole_number(value);
	else if (strcasecmp(name, "x-amz-meta-s3backer-filesize") == 0)
		r->file_size = whole_number(value);
	else if (strcasecmp(name, "x-amz-meta-s3backer-hmac") == 0)
		(void)strlcpy(r->hmac, value, sizeof(r->hmac));
	else if (strcasecmp(name, "x-amz-checksum-crc32") == 0)
		(void)strlcpy(r->crc32, value, sizeof(r->crc32));
	else if (strcasecmp(name, "x-amz-server-side-encryption") == 0)
		r->etag_is_no_md5 = r->etag_is_no_md5 || strncasecmp(value, "aws:kms", 7) == 0;
	else if (strcasecmp(name, "x-amz-server-side-encryption-customer-algorithm") == 0)
		r->etag_is_no_md5 = true;
	else if (strcasecmp(name, "x-amz-meta-s3backer-mount-token") == 0)
		set_token(r, value);
}

static void
status_line(struct http_reply *r, const char *line)
{
	const char *sp = strchr(line, ' ');
	char *text = r->text;
	uint64_t received = r->received;
	bool replayed = r->replayed;

	/* What an interim reply (100) said is not part of the final one. */
	memset(r, 0, offsetof(struct http_reply, transport));
	r->text = text;
	r->received = received;
	r->replayed = replayed;
	r->length = -1;
	r->status = sp != NULL ? atoi(sp + 1) : 0;
}

void
http_reply_line(struct http_reply *r, const char *data, size_t len)
{
	char line[1200], *value;

	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n' || data[len - 1] == ' '))
		len--;
	if (len == 0 || len >= sizeof(line))
		return; /* no header that we know is so long */
	memcpy(line, data, len);
	line[len] = '\0';
	if (strncmp(line, "HTTP/", 5) == 0) {
		status_line(r, line);
		return;
	}
	if ((value = strchr(line, ':')) == NULL)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	header(r, line, value);
}
