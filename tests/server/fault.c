/* SPDX-License-Identifier: ISC */
/*
 * fault.c -- rules that make requests go wrong on purpose (see fault.h).
 */
#include "tests/server/fault.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/fault_rule.h"
#include "tests/server/text.h"
#include "tests/server/timer.h"

static struct {
	pthread_mutex_t lock;
	struct rule *first, **last;
	_Atomic int n; /* looked at without the lock: most runs have no rules */
	_Atomic bool stale;
} rules = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &rules.first};

int
fault_add(const char *text, uint64_t seed, const char **ret_why)
{
	struct rule *r = xcalloc(1, sizeof(*r));

	r->rate = -1;
	r->fault.truncate = -1;
	if (fault_rule_parse(text, r, ret_why) < 0) {
		fault_rule_free(r);
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
		fault_rule_free(r);
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
