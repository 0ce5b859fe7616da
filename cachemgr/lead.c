/* SPDX-License-Identifier: ISC */
#include "cachemgr/lead.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "cachemgr/commit_impl.h"

static sem_t vacant; /* up: nobody leads */

/* Leads until there is a commit to be written: true; or the end has come: false. */
static bool
take_turns(struct cachemgr *cm)
{
	while (!role_stop_requested) {
		int work;

		ipc_bell_clear(cm->env->bell, -1); /* before looking, never after */
		work = cachemgr_turn(cm);
		if (commit_take_job(cm))
			return (true);
		if (work > 0)
			continue;
		if (role_orphaned(cm->env))
			return (false);
		ipc_bell_wait(cm->env->bell, cachemgr_deadline(cm));
	}
	return (false);
}

static void *
lead_and_follow(void *arg)
{
	struct cachemgr *cm = arg;
	bool more;

	do {
		while (sem_wait(&vacant) < 0) /* EINTR */
			;
		more = take_turns(cm);
		(void)sem_post(&vacant);
		if (more)
			commit_run(cm);
	} while (more);
	return (NULL);
}

static void *
settle(void *arg)
{
	struct cachemgr *cm = arg;

	for (;;) {
		while (sem_wait(&cm->commit->checkpoint.go) < 0) /* EINTR */
			;
		checkpoint_run(cm);
	}
	return (NULL);
}

int
lead(struct cachemgr *cm)
{
	pthread_t other, settler;
	int error;

	if (sem_init(&vacant, 0, 1) < 0)
		return (-errno);
	if (cm->commit == NULL) {
		(void)lead_and_follow(cm); /* there is nothing that two are needed for */
		return (0);
	}
	if ((error = pthread_create(&settler, NULL, settle, cm)) != 0 ||
	    (error = pthread_create(&other, NULL, lead_and_follow, cm)) != 0)
		return (-error);
	(void)lead_and_follow(cm);
	(void)pthread_join(other, NULL);
	return (0);
}
