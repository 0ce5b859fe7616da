/* SPDX-License-Identifier: ISC */
#include "uploader/cred_renewal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/timeutil.h"

#include "uploader/guard.h"

#define LOOK_US	     (2 * US_PER_S)   /* at files, whether they have changed */
#define LEAD_US	     (300 * US_PER_S) /* EC2 has new keys five minutes before the old ones end */
#define RETRY_MAX_US (60 * US_PER_S)

static void
ring(int fd)
{
	static const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

/* ---- the thread ----------------------------------------------------------------------------- */
static void
publish(struct cred_renewal *r, int error)
{
	(void)pthread_mutex_lock(&r->lock);
	if (error == 0)
		r->inbox = r->work;
	else
		(void)strlcpy(r->error, r->ctx.why, sizeof(r->error));
	r->failed = error < 0;
	r->news = r->first = true;
	(void)pthread_cond_broadcast(&r->answered);
	(void)pthread_mutex_unlock(&r->lock);
	ring(r->news_fd);
}

/* So that the processes of a pool do not ask in the same second. */
static uint64_t
spread(uint64_t us)
{
	return (us - us / 8 + (uint64_t)arc4random_uniform(1024) * (us / 4) / 1024);
}

/* From now until the next search. */
static uint64_t
pause_us(const struct cred_renewal *r, int error)
{
	int64_t now = (int64_t)(wall_us() / US_PER_S);
	uint64_t left, lead;

	if (error < 0)
		return (spread(min_u64(US_PER_S << min_u64(r->failures, 6), RETRY_MAX_US)));
	if (r->work.expires_s == 0)
		return (TIME_NEVER);
	left = r->work.expires_s > now ? (uint64_t)(r->work.expires_s - now) * US_PER_S : 0;
	lead = min_u64(LEAD_US, left / 3);
	if (left - lead > 2 * US_PER_S)
		return (left - lead - arc4random_uniform((uint32_t)(lead / 4 + 1)));
	/* Old ones, given out once more, or a clock that is wrong. */
	return (spread(r->failures == 0 && left > 0 ? 2 * US_PER_S : RETRY_MAX_US));
}

static bool
kicked(struct cred_renewal *r)
{
	uint64_t gap;

	(void)pthread_mutex_lock(&r->lock);
	gap = r->kick_gap_us;
	r->kick_gap_us = 0;
	(void)pthread_mutex_unlock(&r->lock);
	return (gap != 0 && now_us() - r->searched_us >= gap);
}

static bool
files_changed(struct cred_renewal *r)
{
	return (r->ctx.used_files && r->ctx.reader != NULL &&
		cred_reader_ask(r->ctx.reader, CRED_ASK_CHANGED, NULL, r->stop_fd, r->ctx.text,
		    CRED_TEXT_MAX) == -ESTALE);
}

/* False: stop. */
static bool
sleep_until(struct cred_renewal *r, uint64_t when)
{
	struct pollfd p[2] = {
	    {.fd = r->stop_fd, .events = POLLIN}, {.fd = r->kick_fd, .events = POLLIN}};
	uint64_t n, look = now_us() + LOOK_US;

	for (;;) {
		uint64_t now;

		(void)poll(p, 2, deadline_left_ms(min_u64(when, look)));
		if (p[0].revents != 0)
			return (false);
		if (p[1].revents != 0) {
			(void)!read(r->kick_fd, &n, sizeof(n));
			if (kicked(r))
				return (true);
		}
		if ((now = now_us()) >= when)
			return (true);
		if (now >= look) {
			look = now + LOOK_US;
			if (files_changed(r))
				return (true);
		}
	}
}

/*
 * What the search has left of keys on this stack, in frames of libraries and in registers that were
 * saved there: a core file would have it.
 */
__attribute__((noinline)) static void
wipe_stack(void)
{
	char below[65536];

	explicit_bzero(below, sizeof(below));
}

static void *
search_and_renew(void *arg)
{
	struct cred_renewal *r = arg;
	uint64_t pause;
	int error;

	do {
		error = cred_chain_find(&r->ctx, &r->work);
		r->searched_us = now_us();
		if (error == -ECANCELED)
			break;
		publish(r, error);
		pause = pause_us(r, error);
		r->failures = error < 0 ? r->failures + 1 : 0;
		cred_keys_wipe(&r->work);
		wipe_stack();
	} while (sleep_until(r, pause == TIME_NEVER ? TIME_NEVER : now_us() + pause));
	return (NULL);
}

/* ---- the main thread ------------------------------------------------------------------------ */
int
cred_renewal_start(struct cred_renewal *r)
{
	sigset_t all, old;
	int error;

	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->answered, NULL);
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	r->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->ctx.text =
	    mmap(NULL, CRED_TEXT_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->ctx.text == MAP_FAILED)
		r->ctx.text = NULL;
	if (r->ctx.text == NULL || r->stop_fd < 0 || r->kick_fd < 0 || r->news_fd < 0)
		return (-ENOMEM);
	(void)madvise(r->ctx.text, CRED_TEXT_MAX, MADV_DONTDUMP);
	r->ctx.stop_fd = r->stop_fd;
	r->ctx.found = -1;
	if ((error = cred_environ_take(&r->ctx.env)) < 0)
		return (error);
	/* Signals are for the main thread, whose sleep they interrupt. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	error = -pthread_create(&r->thread, NULL, search_and_renew, r);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	r->running = error == 0;
	return (error);
}

static void
close_fd(int fd)
{
	if (fd > 0)
		close(fd);
}

void
cred_renewal_stop(struct cred_renewal *r)
{
	if (r->running) {
		ring(r->stop_fd);
		(void)pthread_join(r->thread, NULL);
		(void)pthread_cond_destroy(&r->answered);
		(void)pthread_mutex_destroy(&r->lock);
	}
	r->running = false;
	close_fd(r->stop_fd);
	close_fd(r->kick_fd);
	close_fd(r->news_fd);
	if (r->ctx.text != NULL) {
		explicit_bzero(r->ctx.text, CRED_TEXT_MAX);
		(void)munmap(r->ctx.text, CRED_TEXT_MAX);
	}
	r->ctx.text = NULL;
}

void
cred_renewal_wait(struct cred_renewal *r)
{
	(void)pthread_mutex_lock(&r->lock);
	while (!r->first)
		(void)pthread_cond_wait(&r->answered, &r->lock);
	(void)pthread_mutex_unlock(&r->lock);
}

enum cred_news
cred_renewal_take(struct cred_renewal *r, struct cred_keys *ret_keys, char *ret_error)
{
	enum cred_news news = CRED_NEWS_NONE;

	(void)pthread_mutex_lock(&r->lock);
	if (r->news && r->failed) {
		news = CRED_NEWS_FAILURE;
		(void)strlcpy(ret_error, r->error, CRED_WHY_MAX);
	} else if (r->news) {
		news = CRED_NEWS_KEYS;
		*ret_keys = r->inbox;
		cred_keys_wipe(&r->inbox);
	}
	r->news = false;
	(void)pthread_mutex_unlock(&r->lock);
	return (news);
}

void
cred_renewal_kick(struct cred_renewal *r, uint64_t gap_us)
{
	(void)pthread_mutex_lock(&r->lock);
	r->kick_gap_us = gap_us;
	(void)pthread_mutex_unlock(&r->lock);
	ring(r->kick_fd);
}
