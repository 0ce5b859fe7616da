/* SPDX-License-Identifier: ISC */
/*
 * cred_renewal.h -- the thread that looks for keys, and looks again before they run out.
 *
 *	main thread				this thread
 *	cred_renewal_kick() --kick-->		find (cred_chain.c), publish in `inbox`
 *	news_fd readable: cred_renewal_take()	sleep until: it is time, a file changed, a kick, stop
 *
 * Process:  uploader.  Threads: the functions in the main thread.
 * Owns:     the descriptors; the keys until they are taken.  The struct lies in memory of its owner
 *           that no core file has.
 * Errors:   0 or -errno.
 */
#ifndef S3B_UPLOADER_CRED_RENEWAL_H
#define S3B_UPLOADER_CRED_RENEWAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "uploader/cred_priv.h"

struct cred_renewal {
	/* under the lock */
	pthread_mutex_t	 lock;
	pthread_cond_t	 answered;
	struct cred_keys inbox;
	char		 error[CRED_WHY_MAX];
	bool		 news, failed, first;
	uint64_t	 kick_gap_us;	/* 0: no kick; else how old the last search must be */
	/* the thread's */
	struct cred_ctx	 ctx;
	struct cred_keys work;
	unsigned	 failures;
	uint64_t	 searched_us;
	/* the main thread's */
	pthread_t	 thread;
	bool		 running;
	int		 stop_fd, kick_fd, news_fd;
};

enum cred_news { CRED_NEWS_NONE, CRED_NEWS_KEYS, CRED_NEWS_FAILURE };

/* All zero but `ctx`, of which conf, reader and plan are set. */
int	cred_renewal_start(struct cred_renewal *);
void	cred_renewal_stop(struct cred_renewal *);	/* also when it was not started */
void	cred_renewal_wait(struct cred_renewal *);	/* until the first search is over */
/* *ret_keys or *ret_error (CRED_WHY_MAX) is set. */
enum cred_news cred_renewal_take(struct cred_renewal *, struct cred_keys *ret_keys, char *ret_error);
/* Search again, unless the last search ended less than gap_us ago. */
void	cred_renewal_kick(struct cred_renewal *, uint64_t gap_us);

#endif
