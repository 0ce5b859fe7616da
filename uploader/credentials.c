/* SPDX-License-Identifier: ISC */
/*
 * credentials.c -- see credentials.h.
 *
 *	main thread				the credentials thread
 *	credentials_refused() --kick-->		find (cred_chain.c), publish in `inbox`
 *	on_news() <--eventfd--			sleep until: it is time, a file changed, a kick, stop
 *
 * All that is secret lies in one mapping that no core file has.
 */
#include "uploader/credentials.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/cred_priv.h"
#include "uploader/loop.h"
#include "uploader/names.h"

#include "uploader/guard.h"

#define LOOK_US	      (2 * US_PER_S)   /* at files, whether they have changed */
#define LEAD_US	      (300 * US_PER_S) /* EC2 has new keys five minutes before the old ones end */
#define RETRY_MAX_US  (60 * US_PER_S)
#define SURE_GAP_US   (2 * US_PER_S) /* between searches that refusals set off */
#define UNSURE_GAP_US (60 * US_PER_S)

struct credentials {
	/* main thread */
	struct cred_keys current;
	struct credential view;
	unsigned generation;
	bool have, warned;
	bool quiet; /* the store tool answers instead of logging */
	char missing[CRED_WHY_MAX];
	struct loop *loop;
	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct cred_keys inbox;
	char error[CRED_WHY_MAX];
	bool news, failed, first;
	uint64_t kick_gap_us; /* 0: no kick; else how old the last search must be */
	/* the thread */
	struct cred_ctx ctx;
	struct cred_keys work;
	unsigned failures;
	uint64_t searched_us;
	pthread_t thread;
	bool running;
	int stop_fd, kick_fd, news_fd;
};

/* ---- the thread ----------------------------------------------------------------------------- */
static void
ring(int fd)
{
	static const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void
publish(struct credentials *c, int error)
{
	(void)pthread_mutex_lock(&c->lock);
	if (error == 0)
		c->inbox = c->work;
	else
		(void)strlcpy(c->error, c->ctx.why, sizeof(c->error));
	c->failed = error < 0;
	c->news = c->first = true;
	(void)pthread_cond_broadcast(&c->answered);
	(void)pthread_mutex_unlock(&c->lock);
	ring(c->news_fd);
}

/* So that the processes of a pool do not ask in the same second. */
static uint64_t
spread(uint64_t us)
{
	return (us - us / 8 + (uint64_t)arc4random_uniform(1024) * (us / 4) / 1024);
}

/* From now until the next search. */
static uint64_t
pause_us(const struct credentials *c, int error)
{
	int64_t now = (int64_t)(wall_us() / US_PER_S);
	uint64_t left, lead;

	if (error < 0)
		return (spread(min_u64(US_PER_S << min_u64(c->failures, 6), RETRY_MAX_US)));
	if (c->work.expires_s == 0)
		return (TIME_NEVER);
	left = c->work.expires_s > now ? (uint64_t)(c->work.expires_s - now) * US_PER_S : 0;
	lead = min_u64(LEAD_US, left / 3);
	if (left - lead > 2 * US_PER_S)
		return (left - lead - arc4random_uniform((uint32_t)(lead / 4 + 1)));
	/* Old ones, given out once more. */
	return (spread(2 * US_PER_S));
}

static bool
kicked(struct credentials *c)
{
	uint64_t gap;

	(void)pthread_mutex_lock(&c->lock);
	gap = c->kick_gap_us;
	c->kick_gap_us = 0;
	(void)pthread_mutex_unlock(&c->lock);
	return (gap != 0 && now_us() - c->searched_us >= gap);
}

static bool
files_changed(struct credentials *c)
{
	return (c->ctx.used_files && c->ctx.reader != NULL &&
		cred_reader_ask(c->ctx.reader, CRED_ASK_CHANGED, NULL, c->stop_fd, c->ctx.text,
		    CRED_TEXT_MAX) == -ESTALE);
}

/* False: stop. */
static bool
sleep_until(struct credentials *c, uint64_t when)
{
	struct pollfd p[2] = {
	    {.fd = c->stop_fd, .events = POLLIN}, {.fd = c->kick_fd, .events = POLLIN}};
	uint64_t n, look = now_us() + LOOK_US;

	for (;;) {
		uint64_t now;

		(void)poll(p, 2, deadline_left_ms(min_u64(when, look)));
		if (p[0].revents != 0)
			return (false);
		if (p[1].revents != 0) {
			(void)!read(c->kick_fd, &n, sizeof(n));
			if (kicked(c))
				return (true);
		}
		if ((now = now_us()) >= when)
			return (true);
		if (now >= look) {
			look = now + LOOK_US;
			if (files_changed(c))
				return (true);
		}
	}
}

static void *
search_and_renew(void *arg)
{
	struct credentials *c = arg;
	uint64_t pause;
	int error;

	do {
		error = cred_chain_find(&c->ctx, &c->work);
		c->searched_us = now_us();
		if (error == -ECANCELED)
			break;
		publish(c, error);
		pause = pause_us(c, error);
		c->failures = error < 0 ? c->failures + 1 : 0;
		cred_keys_wipe(&c->work);
	} while (sleep_until(c, pause == TIME_NEVER ? TIME_NEVER : now_us() + pause));
	return (NULL);
}

/* ---- the main thread ------------------------------------------------------------------------ */
static void
show(struct credentials *c)
{
	struct cred_keys *k = &c->current;

	c->view = (struct credential){k->id, k->secret, k->token[0] != '\0' ? k->token : NULL};
}

static char *
until_text(int64_t expires_s, char *buf, size_t size)
{
	char iso[TIME_ISO_LEN];

	(void)snprintf(buf, size, "%s",
	    expires_s > 0 ? time_iso_basic((uint64_t)expires_s * US_PER_S, iso) : "never");
	return (buf);
}

static void
take_keys(struct credentials *c)
{
	bool same = c->have && strcmp(c->current.id, c->inbox.id) == 0 &&
		    strcmp(c->current.secret, c->inbox.secret) == 0 &&
		    strcmp(c->current.token, c->inbox.token) == 0;
	char until[32];

	c->current = c->inbox;
	cred_keys_wipe(&c->inbox);
	show(c);
	if (!same)
		c->generation++;
	if (!same && !c->quiet) {
		log_info("%s: source=\"%s\" id=%s expires=%s",
		    c->have ? "the credentials have changed" : "credentials", c->current.source,
		    c->current.id, until_text(c->current.expires_s, until, sizeof(until)));
	} else if (same && c->warned) {
		log_info("the credentials can be renewed again");
	}
	c->have = true;
	c->warned = false;
	c->missing[0] = '\0';
}

static void
take_failure(struct credentials *c)
{
	if (!c->have)
		(void)strlcpy(c->missing, c->error, sizeof(c->missing));
	/* Once; what the store says to the old ones is another matter, and logged there. */
	if (c->warned || c->quiet)
		return;
	c->warned = true;
	if (c->have)
		log_warn("cannot renew the credentials, going on with the old ones and trying "
			 "again: %s",
		    c->error);
	else
		log_err(0, "no credentials yet, trying again: %s", c->error);
}

static void
take_news(struct credentials *c)
{
	(void)pthread_mutex_lock(&c->lock);
	if (c->news && c->failed)
		take_failure(c);
	else if (c->news)
		take_keys(c);
	c->news = false;
	(void)pthread_mutex_unlock(&c->lock);
}

static void
on_news(void *arg, int fd, uint32_t events)
{
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	take_news(arg);
}

static enum cred_plan
plan_of(const struct conf *conf)
{
	if (conf->access_id != NULL && *conf->access_id == '\0')
		return (CRED_PLAN_ANONYMOUS);
	if (conf->access_key != NULL)
		return (CRED_PLAN_FIXED);
	if (conf->access_file != NULL)
		return (CRED_PLAN_FILE);
	if (conf->access_ec2_iam != NULL)
		return (CRED_PLAN_EC2);
	return (conf->profile != NULL ? CRED_PLAN_PROFILE : CRED_PLAN_CHAIN);
}

bool
credentials_need_reader(const struct conf *conf)
{
	enum cred_plan p = plan_of(conf);

	return (!conf->store_is_dir &&
		(p == CRED_PLAN_FILE || p == CRED_PLAN_PROFILE || p == CRED_PLAN_CHAIN));
}

/* Keys that s3backerd has sent: of the configuration, or of its environment. */
static int
take_fixed(struct credentials *c, const struct conf *conf)
{
	struct cred_keys *k = &c->current;
	const char *token = conf->access_token != NULL ? conf->access_token : "";

	if (strlcpy(k->id, conf->access_id, sizeof(k->id)) >= sizeof(k->id) ||
	    strlcpy(k->secret, conf->access_key, sizeof(k->secret)) >= sizeof(k->secret) ||
	    strlcpy(k->token, token, sizeof(k->token)) >= sizeof(k->token))
		return (-E2BIG);
	if (conf->access_key_env == NULL)
		(void)strlcpy(k->source, "configuration", sizeof(k->source));
	else if (strcmp(conf->access_key_env, "AWS_SECRET_ACCESS_KEY") == 0)
		(void)strlcpy(k->source, "environment", sizeof(k->source));
	else
		(void)snprintf(
		    k->source, sizeof(k->source), "accessKeyEnv %.200s", conf->access_key_env);
	show(c);
	c->have = true;
	if (!c->quiet)
		log_info("credentials: source=\"%s\" id=%s", k->source, k->id);
	return (0);
}

static int
start_thread(struct credentials *c)
{
	sigset_t all, old;
	int error;

	if ((c->ctx.text = mmap(NULL, CRED_TEXT_MAX, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED) {
		c->ctx.text = NULL;
		return (-ENOMEM);
	}
	(void)madvise(c->ctx.text, CRED_TEXT_MAX, MADV_DONTDUMP);
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	c->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->stop_fd < 0 || c->kick_fd < 0 || c->news_fd < 0)
		return (-errno);
	c->ctx.stop_fd = c->stop_fd;
	if ((error = cred_environ_take(&c->ctx.env)) < 0 ||
	    (error = loop_watch(c->loop, loop_source(c->loop, on_news, c), c->news_fd, EPOLLIN)) <
		0)
		return (error);
	/* Both must be set up before a second thread makes use of them. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return (-ENOMEM);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	error = -pthread_create(&c->thread, NULL, search_and_renew, c);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->running = error == 0;
	return (error);
}

static void
wait_for_answer(struct credentials *c)
{
	(void)pthread_mutex_lock(&c->lock);
	while (!c->first)
		(void)pthread_cond_wait(&c->answered, &c->lock);
	(void)pthread_mutex_unlock(&c->lock);
	take_news(c);
}

/* Strings that hold a secret are of no more use once they lie where they belong. */
static void
forget(char **s)
{
	if (*s != NULL)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

int
credentials_open(struct conf *conf, struct loop *loop, struct cred_reader *reader, bool patient,
    struct credentials **ret_credentials, char **ret_error)
{
	struct credentials *c =
	    mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error = 0;

	if (c == MAP_FAILED)
		return (-ENOMEM);
	(void)madvise(c, sizeof(*c), MADV_DONTDUMP);
	(void)mlock(c, sizeof(*c)); /* within RLIMIT_MEMLOCK, or not */
	c->stop_fd = c->kick_fd = c->news_fd = -1;
	c->loop = loop;
	c->quiet = !patient;
	c->ctx.conf = conf;
	c->ctx.reader = reader;
	c->ctx.found = -1;
	c->ctx.plan = plan_of(conf);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->answered, NULL);
	if (c->ctx.plan == CRED_PLAN_FIXED) {
		error = take_fixed(c, conf);
	} else if (c->ctx.plan != CRED_PLAN_ANONYMOUS) {
		if ((error = start_thread(c)) == 0)
			wait_for_answer(c);
		if (error == 0 && !c->have && !patient)
			error = -EACCES;
	}
	if (error == -EACCES && asprintf(ret_error, "%s", c->missing) < 0)
		*ret_error = NULL;
	if (error < 0) {
		credentials_close(&c);
		return (error);
	}
	if (patient) { /* the store tool opens others, with copies of this */
		forget(&conf->access_key);
		forget(&conf->access_token);
	}
	*ret_credentials = c;
	return (0);
}

static void
close_fd(struct credentials *c, int fd)
{
	if (fd < 0)
		return;
	if (fd == c->news_fd)
		loop_unwatch(c->loop, fd);
	close(fd);
}

void
credentials_close(struct credentials **cp)
{
	struct credentials *c = *cp;

	if (c == NULL)
		return;
	if (c->running) {
		ring(c->stop_fd);
		(void)pthread_join(c->thread, NULL);
	}
	close_fd(c, c->stop_fd);
	close_fd(c, c->kick_fd);
	close_fd(c, c->news_fd);
	if (c->ctx.text != NULL) {
		explicit_bzero(c->ctx.text, CRED_TEXT_MAX);
		(void)munmap(c->ctx.text, CRED_TEXT_MAX);
	}
	(void)pthread_cond_destroy(&c->answered);
	(void)pthread_mutex_destroy(&c->lock);
	explicit_bzero(c, sizeof(*c));
	(void)munmap(c, sizeof(*c));
	*cp = NULL;
}

const struct credential *
credentials_get(struct credentials *c)
{
	return (c->have ? &c->view : NULL);
}

const char *
credentials_missing(const struct credentials *c)
{
	return (c->have || c->ctx.plan == CRED_PLAN_ANONYMOUS ? NULL : c->missing);
}

unsigned
credentials_generation(const struct credentials *c)
{
	return (c->generation);
}

bool
credentials_refused(struct credentials *c, bool sure)
{
	if (!c->running)
		return (false);
	(void)pthread_mutex_lock(&c->lock);
	c->kick_gap_us = sure ? SURE_GAP_US : UNSURE_GAP_US;
	(void)pthread_mutex_unlock(&c->lock);
	ring(c->kick_fd);
	return (true);
}

void
credentials_describe(const struct credentials *c, char *buf, size_t size)
{
	char source[3 * sizeof(c->current.source)], id[3 * CRED_ID_MAX], until[32];

	if (!c->have) {
		(void)strlcpy(buf, "source=none", size);
		return;
	}
	(void)name_encode(c->current.source, false, source, sizeof(source));
	(void)name_encode(c->current.id, false, id, sizeof(id));
	(void)snprintf(buf, size, "source=%s id=%s expires=%s", source, id,
	    until_text(c->current.expires_s, until, sizeof(until)));
}
