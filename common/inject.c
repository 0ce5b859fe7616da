/* SPDX-License-Identifier: ISC */
/*
 * inject.c -- the actions behind inject.h; empty without S3B_INJECT.
 *
 * Process:  all.  Threads: any.  The specification is parsed once, under a lock; passages only
 *           read it and count atomically.
 * Errors:   a specification that makes no sense ends the process with exit code 2: a test that
 *           injects nothing by mistake would pass for the wrong reason.
 */
#include "common/inject.h"

#ifdef S3B_INJECT

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/timeutil.h"

enum action {
	ACT_KILL,
	ACT_ABORT,
	ACT_STOP,
	ACT_SLEEP,
	ACT_EXIT,
	ACT_FAIL,
	ACT_LOG
};

static const struct {
	const char *word;
	enum action action;
	bool has_number;
} actions[] = {
    {"kill", ACT_KILL, false},
    {"abort", ACT_ABORT, false},
    {"stop", ACT_STOP, false},
    {"sleep", ACT_SLEEP, true},
    {"exit", ACT_EXIT, true},
    {"fail", ACT_FAIL, false},
    {"log", ACT_LOG, false},
};

struct point {
	char name[64];
	enum action action;
	unsigned number; /* of sleep= and exit= */
	unsigned nth;	 /* 0: every passage */
	atomic_uint passed;
};

#define NPOINTS 32
static struct point points[NPOINTS];
static atomic_int npoints = -1; /* -1: not parsed yet */
static pthread_mutex_t parsing = PTHREAD_MUTEX_INITIALIZER;

static _Noreturn void
bad_spec(const char *item)
{
	fprintf(stderr, "S3B_INJECT: cannot understand \"%s\" (name:action[:nth],...)\n", item);
	_exit(2);
}

static unsigned
number_of(const char *text, const char *item)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n > 100000000)
		bad_spec(item);
	return ((unsigned)n);
}

static void
parse_item(const char *item, struct point *p)
{
	char copy[128], *rest = copy, *name, *action, *nth, *number;
	size_t i;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", item) >= sizeof(copy))
		bad_spec(item);
	name = strsep(&rest, ":");
	action = strsep(&rest, ":");
	nth = strsep(&rest, ":");
	if (rest != NULL || action == NULL || *name == '\0' || strlen(name) >= sizeof(p->name))
		bad_spec(item);
	strcpy(p->name, name);
	p->nth = nth == NULL ? 1 : number_of(nth, item);
	p->number = 0;
	atomic_store(&p->passed, 0);

	number = action;
	action = strsep(&number, "=");
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(action, actions[i].word) == 0)
			break;
	if (i == sizeof(actions) / sizeof(actions[0]))
		bad_spec(item);
	if (actions[i].has_number != (number != NULL))
		bad_spec(item);
	p->action = actions[i].action;
	if (number != NULL)
		p->number = number_of(number, item);
}

/* Call with `parsing` held. */
static int
parse_spec(const char *spec)
{
	char *copy, *rest, *item;
	int n = 0;

	if (spec == NULL || *spec == '\0')
		return (0);
	if ((copy = rest = strdup(spec)) == NULL)
		bad_spec(spec);
	while ((item = strsep(&rest, ",")) != NULL) {
		if (n == NPOINTS)
			bad_spec(item);
		parse_item(item, &points[n++]);
	}
	free(copy);
	return (n);
}

void
inject_set(const char *spec)
{
	pthread_mutex_lock(&parsing);
	atomic_store(&npoints, spec == NULL ? -1 : parse_spec(spec));
	pthread_mutex_unlock(&parsing);
}

static int
points_ready(void)
{
	int n = atomic_load(&npoints);

	if (n >= 0)
		return (n);
	pthread_mutex_lock(&parsing);
	if ((n = atomic_load(&npoints)) < 0) {
		n = parse_spec(getenv("S3B_INJECT"));
		atomic_store(&npoints, n);
	}
	pthread_mutex_unlock(&parsing);
	return (n);
}

static bool
act(const struct point *p)
{
	struct timespec ts;

	switch (p->action) {
	case ACT_KILL:
		kill(getpid(), SIGKILL);
		pause(); /* the signal may take another thread's turn to arrive */
		break;
	case ACT_ABORT:
		abort();
	case ACT_STOP:
		kill(getpid(), SIGSTOP);
		break;
	case ACT_SLEEP:
		ts = us_to_timespec((uint64_t)p->number * US_PER_MS);
		while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
			continue;
		break;
	case ACT_EXIT:
		_exit((int)p->number);
	case ACT_FAIL:
		return (true);
	case ACT_LOG:
		log_info("injection point %s passed", p->name);
		break;
	}
	return (false);
}

bool
inject_at(const char *name)
{
	int saved = errno, n = points_ready();
	bool fail = false;

	for (int i = 0; i < n; i++) {
		struct point *p = &points[i];

		if (strcmp(p->name, name) != 0)
			continue;
		if (atomic_fetch_add(&p->passed, 1) + 1 == p->nth || p->nth == 0)
			fail |= act(p);
	}
	errno = saved;
	return (fail);
}

#else
/* ISO C wants something in every translation unit. */
extern int inject_is_off;
#endif
