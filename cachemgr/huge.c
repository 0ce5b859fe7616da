/* SPDX-License-Identifier: ISC */
/*
 * huge.c -- the cache in memory, in huge pages.
 *
 * In pages of 4 KiB, each MiB that a reader is sent costs 256 look-ups in page tables, and each page that is
 * written for the first time costs a fault.  The kernel gives shared memory huge pages by itself only where
 * the administrator has said so (shmem_enabled), but makes them on request at any time: MADV_COLLAPSE, Linux
 * 6.1.  It changes no byte and may happen while others read and write, so it needs nothing of the slot
 * table: this thread follows the slots that are handed out, from the first on, a little ahead of them.
 *
 * The cache never becomes larger than it was configured; a slot that is used in part takes its whole room.
 *
 * Process:  cachemgr.   Threads: a thread of its own, which makes the pages; huge_used() is the main
 * thread's.  Owns: a mapping in which nothing stays mapped.  Errors: none; without huge pages all is as
 * before.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cachemgr/cm.h"
#include "common/hugemap.h"
#include "common/log.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define AHEAD_BYTES (64u << 20) /* made before they are needed, at most, and */
#define AHEAD_PART  8		/* not more than this part of the cache */
#define AT_ONCE	    16		/* chunks in one call */
#define TRIES	    3		/* a page that somebody holds just now */
#define FAIL_MOST   16		/* in a row: there are none to be had */

struct huge {
	char *map;
	uint32_t nchunks; /* whole ones */
	uint32_t ahead;	  /* chunks */
	sem_t go;
	_Atomic uint32_t want; /* main -> thread: chunks below it */
};

/*
 * 0: the chunks are one page each now, or were.  All in one call: the kernel has each processor drain its lists
 * of new pages first, which takes as long as the busiest of them lets it wait.
 */
static int
make(char *first, size_t n)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	size_t len = n << HUGE_SHIFT;
	int error = 0;

	/* One page of each at least has to be there; the kernel zeroes what is not. */
	for (size_t at = 0; at < len && error == 0; at += HUGE_BYTES)
		if (madvise(first + at, 4096, MADV_POPULATE_READ) < 0)
			error = -errno;
	for (unsigned i = 0; i < TRIES && (error == 0 || i > 0); i++) {
		error = madvise(first, len, MADV_COLLAPSE) < 0 ? -errno : 0;
		if (error != -EAGAIN && error != -EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
	/* The pages stay in the file; here they would only count as our memory. */
	(void)madvise(first, len, MADV_DONTNEED);
	return (error);
}

static void *
huge_main(void *arg)
{
	struct huge *h = arg;
	unsigned failed = 0;
	uint32_t done = 0, n;

	while (done < h->nchunks) {
		int error;

		while ((n = atomic_load(&h->want)) <= done)
			(void)sem_wait(&h->go);
		n = (n < h->nchunks ? n : h->nchunks) - done;
		if (n > AT_ONCE)
			n = AT_ONCE;
		error = make(h->map + ((size_t)done << HUGE_SHIFT), n);
		failed = error < 0 ? failed + 1 : 0;
		/* EINVAL from the first on: a kernel that cannot do it. */
		if (failed == FAIL_MOST || (error == -EINVAL && done == 0)) {
			log_info("no huge pages for the cache in memory: %s", strerror(-error));
			break;
		}
		done += n;
	}
	return (NULL);
}

void
huge_open(struct cachemgr *cm)
{
	uint64_t len = shm_slot_off(cm->shm, cm->shm->geo.nslots);
	struct huge *h;
	void *map;

	if (cm->file || len < HUGE_BYTES || (h = calloc(1, sizeof(*h))) == NULL)
		return;
	if (hugemap(cm->cache_fd, len, PROT_READ, &map) < 0 || sem_init(&h->go, 0, 0) < 0) {
		free(h);
		return;
	}
	h->map = map;
	h->nchunks = (uint32_t)(len >> HUGE_SHIFT);
	h->ahead =
	    1 + (AHEAD_BYTES < len / AHEAD_PART ? AHEAD_BYTES : len / AHEAD_PART) / HUGE_BYTES;
	cm->huge = h;
}

/* Not before: the thread is to have no more rights than we have by then. */
static void
start(struct cachemgr *cm)
{
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, NULL, huge_main, cm->huge) == 0)
		(void)pthread_detach(thread);
	else
		cm->huge = NULL; /* what it holds is little, and ends with us */
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
huge_used(struct cachemgr *cm, uint32_t slot)
{
	struct huge *h = cm->huge;
	uint64_t end;
	uint32_t want;

	if (h == NULL)
		return;
	end = shm_slot_off(cm->shm, slot) + cm->shm->geo.block_size;
	want = (uint32_t)((end + HUGE_BYTES - 1) >> HUGE_SHIFT);
	/* In steps, or every slot would wake the thread; in time, or what is ahead would be used up by then. */
	if (atomic_load_explicit(&h->want, memory_order_relaxed) >= want + h->ahead / 2)
		return;
	if (atomic_load(&h->want) == 0)
		start(cm);
	atomic_store(&h->want, want + h->ahead);
	(void)sem_post(&h->go);
}
