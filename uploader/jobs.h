/* SPDX-License-Identifier: ISC */
/*
 * jobs.h -- a few threads for what must not stall the transfers: hashing, codecs, the file system.
 *
 * Process:  uploader.
 * Threads:  jobs_submit() and `done` in the main thread; `run` in one of the pool's.
 * Order:    urgent ones before the others, both in the order of their submission.
 * Owns:     nothing but the threads: a job belongs to the pool from jobs_submit() to `done`, and is
 *           usually the first member of something larger.
 * Errors:   0 or -errno.
 */
#ifndef S3B_UPLOADER_JOBS_H
#define S3B_UPLOADER_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include <bsd/sys/queue.h>

struct loop;
struct jobs;

#define JOBS_SCRATCH (256u * 1024)

struct job {
	STAILQ_ENTRY(job) link;
	bool urgent; /* somebody waits: before all that are not */
	void (*run)(struct job *, void *scratch); /* JOBS_SCRATCH bytes, this thread's own */
	void (*done)(struct job *);
};

int	jobs_open(unsigned nthreads, struct loop *, struct jobs **ret_jobs);
void	jobs_close(struct jobs **);	/* waits for what is running; the rest is not done any more */
void	jobs_submit(struct jobs *, struct job *);

#endif
