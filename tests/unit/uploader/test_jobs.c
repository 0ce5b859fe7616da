/* SPDX-License-Identifier: ISC */
/*
 * test_jobs.c -- the order in which the threads of an uploader do what they are given.
 */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "tests/unit/tap.h"
#include "uploader/jobs.h"
#include "uploader/loop.h"

struct letter {
	struct job job; /* first */
	char name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool begun, go_on;
static char order[16], ended[16];

static void
run(struct job *j, void *scratch)
{
	(void)scratch;
	(void)pthread_mutex_lock(&lock);
	order[strlen(order)] = ((struct letter *)j)->name;
	begun = true;
	(void)pthread_cond_broadcast(&changed);
	while (!go_on)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

static void
done(struct job *j)
{
	ended[strlen(ended)] = ((struct letter *)j)->name;
}

int
main(void)
{
	struct letter l[6];
	struct loop loop;
	struct jobs *jobs;

	is_int(loop_open(&loop), 0, "a loop");
	is_int(jobs_open(1, &loop, &jobs), 0, "a pool of one thread");
	for (unsigned i = 0; i < 6; i++) {
		l[i] = (struct letter){
		    .job = {.urgent = i >= 4, .run = run, .done = done}, .name = (char)('a' + i)};
		jobs_submit(jobs, &l[i].job);
		if (i > 0)
			continue;
		/* It has the first, and finds the others together. */
		(void)pthread_mutex_lock(&lock);
		while (!begun)
			(void)pthread_cond_wait(&changed, &lock);
		(void)pthread_mutex_unlock(&lock);
	}
	(void)pthread_mutex_lock(&lock);
	go_on = true;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	while (strlen(ended) < 6)
		(void)loop_turn(&loop, UINT64_MAX);
	is_str(order, "aefbcd", "who is waited for comes next, the others in their order");
	is_str(ended, order, "and so they end, in the main thread");
	jobs_close(&jobs);
	loop_close(&loop);
	return (tap_done());
}
