/* SPDX-License-Identifier: ISC */
/*
 * fault.c -- rules that make requests go wrong on purpose (see fault.h).
 */
#include "tests/server/fault.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/text.h"
#include "tests/server/timer.h"

struct rule {
	struct rule *next;
	char *text, *key; /* key: glob, or NULL */
	unsigned ops;
	uint64_t nth, every, after, count; /* 0: not given */
	double rate;			   /* < 0: not given */
	uint64_t until_us;		   /* 0: for ever */
	uint64_t seen, fired, random;
	struct fault fault;
};

static struct {
	pthread_mutex_t lock;
	struct rule *first, **last;
	_Atomic int n; /* looked at without the lock: most runs have no rules */
	_Atomic bool stale;
} rules = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &rules.first};

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

static void
rule_free(struct rule *r)
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

static int
parse(const char *text, struct rule *r, const char **ret_why)
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

int
fault_add(const char *text, uint64_t seed, const char **ret_why)
{
	struct rule *r = xcalloc(1, sizeof(*r));

	r->rate = -1;
	r->fault.truncate = -1;
	if (parse(text, r, ret_why) < 0) {
		rule_free(r);
		return (-EINVAL);
	}
	r->text = xstrdup(text);
	r->fault.on = true;
	/* No blanks: the log is one field per blank. */
	snprintf(r->fault.name, sizeof(r->fault.name), "%s", text);
	for (char *p = r->fault.name; *p != '\0'; p++) {
		if (isspace((unsigned char)*p))
			*p = '_';
	}
	if (r->fault.stale)
		rules.stale = true;
	pthread_mutex_lock(&rules.lock);
	r->random = (seed + 1) * 0x9e3779b97f4a7c15 + (uint64_t)rules.n * 0xd1b54a32d192ed03;
	*rules.last = r;
	rules.last = &r->next;
	rules.n++;
	pthread_mutex_unlock(&rules.lock);
	return (0);
}

void
fault_clear(void)
{
	struct rule *r, *next;

	pthread_mutex_lock(&rules.lock);
	for (r = rules.first; r != NULL; r = next) {
		next = r->next;
		rule_free(r);
	}
	rules.first = NULL;
	rules.last = &rules.first;
	rules.n = 0;
	pthread_mutex_unlock(&rules.lock);
}

/* splitmix64, as a number in [0, 1). */
static double
draw(struct rule *r)
{
	uint64_t z = (r->random += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return ((double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0);
}

/* `after` shifts what nth and every count. */
static bool
fires(struct rule *r, uint64_t now)
{
	uint64_t turn;

	r->seen++;
	if (r->seen <= r->after)
		return (false);
	turn = r->seen - r->after;
	if ((r->nth != 0 && turn != r->nth) || (r->every != 0 && turn % r->every != 0) ||
	    (r->rate >= 0 && draw(r) >= r->rate) || (r->count != 0 && r->fired >= r->count) ||
	    (r->until_us != 0 && now >= r->until_us))
		return (false);
	return (true);
}

bool
fault_draw(enum fault_op op, const char *key, struct fault *ret_fault)
{
	uint64_t now;
	bool found = false;

	if (rules.n == 0)
		return (false);
	now = now_us();
	pthread_mutex_lock(&rules.lock);
	for (struct rule *r = rules.first; r != NULL; r = r->next) {
		/* A refuse rule is about connections, and counts only those. */
		if (!(r->ops & op) || r->fault.refuse != (op == OP_ACCEPT) ||
		    (r->key != NULL && (key == NULL || fnmatch(r->key, key, 0) != 0)))
			continue;
		if (fires(r, now) && !found) {
			r->fired++;
			*ret_fault = r->fault;
			found = true;
		}
	}
	pthread_mutex_unlock(&rules.lock);
	return (found);
}

bool
fault_want_stale(void)
{
	return (rules.stale);
}

void
fault_show(struct text *t)
{
	pthread_mutex_lock(&rules.lock);
	for (struct rule *r = rules.first; r != NULL; r = r->next)
		text_printf(t, "%s seen=%llu fired=%llu\n", r->text, (unsigned long long)r->seen,
		    (unsigned long long)r->fired);
	pthread_mutex_unlock(&rules.lock);
}
