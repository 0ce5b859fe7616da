/* SPDX-License-Identifier: ISC */
/*
 * fault_parse.c -- the text of a fault rule (see fault.h, fault_rule.h).
 */
#include "tests/server/fault_rule.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/text.h"
#include "tests/server/timer.h"

static const struct {
	const char *name;
	unsigned ops;
} op_names[] = {{"any", OP_ANY}, {"get", OP_GET}, {"head", OP_HEAD}, {"put", OP_PUT},
    {"copy", OP_COPY}, {"delete", OP_DELETE}, {"list", OP_LIST}, {"bulk", OP_BULK},
    {"post", OP_BULK}, {"bucket", OP_BUCKET}, {"read", OP_GET | OP_HEAD | OP_LIST},
    {"write", OP_PUT | OP_COPY | OP_DELETE | OP_BULK}};

/* A number with one of the suffixes listed as "suffix", factor; the whole text must be used. */
struct suffix {
	const char *text;
	double factor;
};

static int
scaled(const char *s, const struct suffix *suffix, double *ret_value)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || !isfinite(v) || !(isdigit((unsigned char)*s) || *s == '-' || *s == '.'))
		return (-EINVAL);
	for (; suffix->text != NULL; suffix++) {
		if (strcmp(end, suffix->text) == 0) {
			*ret_value = v * suffix->factor;
			return (0);
		}
	}
	return (-EINVAL);
}

static int
seconds(const char *s, double *ret_seconds)
{
	static const struct suffix unit[] = {
	    {"", 1}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"m", 60}, {"h", 3600}, {NULL, 0}};

	return (scaled(s, unit, ret_seconds));
}

int
fault_time(const char *s, uint64_t *ret_us)
{
	double v;

	if (seconds(s, &v) < 0 || v < 0 || v > 1e9)
		return (-EINVAL);
	*ret_us = (uint64_t)(v * 1e6);
	return (0);
}

static int
number(const char *s, double min, int64_t *ret_value)
{
	static const struct suffix unit[] = {{"", 1}, {"B", 1}, {"B/s", 1}, {"k", 1024},
	    {"kB/s", 1024}, {"K", 1024}, {"M", 1 << 20}, {"MB/s", 1 << 20}, {NULL, 0}};
	double v;

	if (scaled(s, unit, &v) < 0 || v < min || v > 1e15)
		return (-EINVAL);
	*ret_value = (int64_t)v;
	return (0);
}

/* STATUS or STATUS=Code. */
static int
parse_status(const char *part, struct fault *f)
{
	char *end;
	long status = strtol(part, &end, 10);

	if (end != part + 3 || status < 200 || status > 599 || (*end != '\0' && *end != '='))
		return (-EINVAL);
	f->status = (int)status;
	if (*end == '=')
		snprintf(f->code, sizeof(f->code), "%s", end + 1);
	return (0);
}

static int
parse_reset(const char *value, struct fault *f)
{
	if (value == NULL || strcmp(value, "before") == 0)
		f->reset = RESET_BEFORE;
	else if (strcmp(value, "body") == 0)
		f->reset = RESET_BODY;
	else if (strcmp(value, "after") == 0)
		f->reset = RESET_AFTER;
	else
		return (-EINVAL);
	return (0);
}

/* Words without a value. */
static int
parse_word(const char *name, const char *value, struct fault *f)
{
	const struct {
		const char *name;
		bool *flag;
	} word[] = {{"garbage", &f->garbage}, {"short", &f->short_body}, {"early", &f->early},
	    {"200error", &f->error_200}, {"refuse", &f->refuse}, {"stale", &f->stale},
	    {"partial", &f->partial}};

	for (size_t i = 0; value == NULL && i < sizeof(word) / sizeof(word[0]); i++) {
		if (strcmp(name, word[i].name) == 0) {
			*word[i].flag = true;
			return (0);
		}
	}
	return (-ENOENT);
}

/* What to do. */
static int
parse_action(const char *name, const char *value, struct fault *f)
{
	int64_t n = 1;
	double s;

	if (strcmp(name, "reset") == 0)
		return (parse_reset(value, f));
	if (strcmp(name, "wronglength") == 0) {
		if (value != NULL && number(value, -1e15, &n) < 0)
			return (-EINVAL);
		f->wrong_length = n;
		return (n == 0 ? -EINVAL : 0);
	}
	if (value == NULL)
		return (parse_word(name, value, f));
	if (strcmp(name, "stall") == 0)
		return (fault_time(value, &f->stall_us));
	if (strcmp(name, "stallbody") == 0)
		return (fault_time(value, &f->stall_body_us));
	if (strcmp(name, "late") == 0)
		return (fault_time(value, &f->late_us));
	if (strcmp(name, "truncate") == 0)
		return (number(value, 0, &f->truncate));
	if (strcmp(name, "retry-after") == 0) {
		if (number(value, 1, &n) < 0)
			return (-EINVAL);
		f->retry_after_s = (int)n;
		return (0);
	}
	if (strcmp(name, "slow") == 0) {
		if (number(value, 1, &n) < 0)
			return (-EINVAL);
		f->slow = (uint64_t)n;
		return (0);
	}
	if (strcmp(name, "skew") == 0) {
		if (seconds(value, &s) < 0)
			return (-EINVAL);
		f->skew_s = (int64_t)s;
		return (0);
	}
	if (strcmp(name, "etag") == 0) {
		f->bad_etag = true;
		return (strcmp(value, "bad") == 0 ? 0 : -EINVAL);
	}
	return (-ENOENT);
}

/* When. */
static int
parse_selector(const char *name, const char *value, struct rule *r)
{
	const struct {
		const char *name;
		uint64_t *n;
	} counts[] = {
	    {"nth", &r->nth}, {"every", &r->every}, {"after", &r->after}, {"count", &r->count}};
	uint64_t us;
	int64_t n;
	char *end;

	if (value == NULL)
		return (-ENOENT);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (strcmp(name, counts[i].name) == 0) {
			if (number(value, 1, &n) < 0)
				return (-EINVAL);
			*counts[i].n = (uint64_t)n;
			return (0);
		}
	}
	if (strcmp(name, "key") == 0) {
		free(r->key);
		r->key = xstrdup(value);
		return (0);
	}
	if (strcmp(name, "rate") == 0) {
		r->rate = strtod(value, &end);
		return (end != value && *end == '\0' && r->rate >= 0 && r->rate <= 1 ? 0 : -EINVAL);
	}
	if (strcmp(name, "for") == 0) {
		if (fault_time(value, &us) < 0)
			return (-EINVAL);
		r->until_us = now_us() + us;
		return (0);
	}
	return (-ENOENT);
}

static int
parse_part(char *part, struct rule *r, const char **ret_why)
{
	char *value = strchr(part, '=');
	int e;

	*ret_why = "not understood";
	if (isdigit((unsigned char)part[0]) && strcmp(part, "200error") != 0)
		return (parse_status(part, &r->fault));
	if (value != NULL)
		*value++ = '\0';
	e = parse_selector(part, value, r);
	if (e == -ENOENT)
		e = parse_action(part, value, &r->fault);
	if (e == -EINVAL)
		*ret_why = "its value is not understood";
	return (e < 0 ? -EINVAL : 0);
}

void
fault_rule_free(struct rule *r)
{
	free(r->text);
	free(r->key);
	free(r);
}

static bool
does_something(const struct fault *f)
{
	static const struct fault nothing = {.truncate = -1};

	return (memcmp(f, &nothing, sizeof(nothing)) != 0);
}

int
fault_rule_parse(const char *text, struct rule *r, const char **ret_why)
{
	char *copy = xstrdup(text), *save, *part;
	int e = -EINVAL;

	*ret_why = "it must begin with get, put, head, delete, list, bulk, copy, bucket, read, "
		   "write or any";
	part = strtok_r(copy, ":", &save);
	for (size_t i = 0; part != NULL && i < sizeof(op_names) / sizeof(op_names[0]); i++) {
		if (strcmp(part, op_names[i].name) == 0)
			r->ops = op_names[i].ops;
	}
	if (r->ops == 0)
		goto out;
	while ((part = strtok_r(NULL, ":", &save)) != NULL) {
		if ((e = parse_part(part, r, ret_why)) < 0)
			goto out;
	}
	e = does_something(&r->fault) ? 0 : -EINVAL;
	if (e < 0)
		*ret_why = "it does nothing";
	if (r->fault.refuse)
		r->ops |= OP_ACCEPT;
out:
	free(copy);
	return (e);
}
