/* SPDX-License-Identifier: ISC */
#include "uploader/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/check.h"
#include "uploader/loop.h"

#include "uploader/guard.h"

#define THREADS_MAX 32

STAILQ_HEAD(job_list, job);

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job_list urgent, waiting, finished; /* lock */
	bool closing;				   /* lock */
	unsigned nthreads;
	pthread_t thread[THREADS_MAX];
	int efd; /* rung when `finished` becomes non-empty */
	struct loop *loop;
};

/* The next one, taken out; NULL: there is none. */
static struct job *
take(struct jobs *p)
{
	struct job_list *l = STAILQ_EMPTY(&p->urgent) ? &p->waiting : &p->urgent;
	struct job *j = STAILQ_FIRST(l);

	if (j != NULL)
		STAILQ_REMOVE_HEAD(l, link);
	return (j);
}

static void *
worker(void *arg)
{
	struct jobs *p = arg;
	void *scratch = NULL;
	struct job *j;

	/* Aligned to a page, so that a thread without work costs no memory. */
	MUST(posix_memalign(&scratch, 4096, JOBS_SCRATCH) == 0);
	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		static const uint64_t one = 1;
		bool first;

		while (!p->closing && (j = take(p)) == NULL)
			(void)pthread_cond_wait(&p->more, &p->lock);
		if (p->closing)
			break;
		(void)pthread_mutex_unlock(&p->lock);
		j->run(j, scratch);
		(void)pthread_mutex_lock(&p->lock);
		first = STAILQ_EMPTY(&p->finished);
		STAILQ_INSERT_TAIL(&p->finished, j, link);
		if (first)
			(void)!write(p->efd, &one, sizeof(one));
	}
	(void)pthread_mutex_unlock(&p->lock);
	free(scratch);
	return (NULL);
}

static void
on_finished(void *arg, int fd, uint32_t events)
{
	struct jobs *p = arg;
	struct job_list list = STAILQ_HEAD_INITIALIZER(list);
	struct job *j;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	(void)pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&list, &p->finished);
	(void)pthread_mutex_unlock(&p->lock);
	while ((j = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, link);
		j->done(j);
	}
}

int
jobs_open(unsigned nthreads, struct loop *loop, struct jobs **ret_jobs)
{
	struct jobs *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int error;

	if (p == NULL)
		return (-ENOMEM);
	STAILQ_INIT(&p->urgent);
	STAILQ_INIT(&p->waiting);
	STAILQ_INIT(&p->finished);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->more, NULL);
	p->loop = loop;
	if ((p->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		error = -errno;
		free(p);
		return (error);
	}
	if ((error = loop_watch(loop, loop_source(loop, on_finished, p), p->efd, EPOLLIN)) < 0) {
		close(p->efd);
		free(p);
		return (error);
	}
	/* Signals are for the main thread, whose sleep they interrupt. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	while (error == 0 && p->nthreads < nthreads && p->nthreads < THREADS_MAX) {
		error = -pthread_create(&p->thread[p->nthreads], NULL, worker, p);
		if (error == 0)
			p->nthreads++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error < 0)
		jobs_close(&p);
	else
		*ret_jobs = p;
	return (error);
}

void
jobs_close(struct jobs **pp)
{
	struct jobs *p = *pp;

	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->closing = true;
	(void)pthread_cond_broadcast(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nthreads; i++)
		(void)pthread_join(p->thread[i], NULL);
	loop_unwatch(p->loop, p->efd);
	close(p->efd);
	(void)pthread_cond_destroy(&p->more);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	*pp = NULL;
}

void
jobs_submit(struct jobs *p, struct job *j)
{
	(void)pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(j->urgent ? &p->urgent : &p->waiting, j, link);
	(void)pthread_cond_signal(&p->more);
	(void)pthread_mutex_unlock(&p->lock);
}
