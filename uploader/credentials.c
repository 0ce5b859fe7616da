/* SPDX-License-Identifier: ISC */
/*
 * credentials.c -- see credentials.h.  The search and the renewal are in cred_renewal.c.
 *
 * All that is secret lies in one mapping that no core file has.
 */
#include "uploader/credentials.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/cred_renewal.h"
#include "uploader/loop.h"
#include "uploader/names.h"

#include "uploader/guard.h"

#define SURE_GAP_US   (2 * US_PER_S) /* between searches that refusals set off */
#define UNSURE_GAP_US (60 * US_PER_S)

struct credentials {
	struct cred_keys current, incoming;
	struct credential view;
	unsigned generation;
	bool have, warned;
	bool quiet; /* the store tool answers instead of logging */
	char missing[CRED_WHY_MAX], error[CRED_WHY_MAX];
	struct loop *loop;
	struct cred_renewal renewal;
};

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
	bool same = c->have && strcmp(c->current.id, c->incoming.id) == 0 &&
		    strcmp(c->current.secret, c->incoming.secret) == 0 &&
		    strcmp(c->current.token, c->incoming.token) == 0;
	char until[32];

	c->current = c->incoming;
	cred_keys_wipe(&c->incoming);
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
	switch (cred_renewal_take(&c->renewal, &c->incoming, c->error)) {
	case CRED_NEWS_KEYS:
		take_keys(c);
		break;
	case CRED_NEWS_FAILURE:
		take_failure(c);
		break;
	case CRED_NEWS_NONE:
		break;
	}
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

/* Starts the search, and waits for its first outcome. */
static int
search(struct credentials *c)
{
	int error;

	/* It must be set up before a second thread makes use of it. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return (-ENOMEM);
	if ((error = cred_renewal_start(&c->renewal)) < 0 ||
	    (error = loop_watch(
		 c->loop, loop_source(c->loop, on_news, c), c->renewal.news_fd, EPOLLIN)) < 0)
		return (error);
	cred_renewal_wait(&c->renewal);
	take_news(c);
	return (0);
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
	c->loop = loop;
	c->quiet = !patient;
	c->renewal.ctx.conf = conf;
	c->renewal.ctx.reader = reader;
	c->renewal.ctx.plan = plan_of(conf);
	if (c->renewal.ctx.plan == CRED_PLAN_FIXED) {
		error = take_fixed(c, conf);
	} else if (c->renewal.ctx.plan != CRED_PLAN_ANONYMOUS) {
		if ((error = search(c)) == 0 && !c->have && !patient)
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

void
credentials_close(struct credentials **cp)
{
	struct credentials *c = *cp;

	if (c == NULL)
		return;
	if (c->renewal.news_fd > 0)
		loop_unwatch(c->loop, c->renewal.news_fd);
	cred_renewal_stop(&c->renewal);
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
	return (c->have || c->renewal.ctx.plan == CRED_PLAN_ANONYMOUS ? NULL : c->missing);
}

unsigned
credentials_generation(const struct credentials *c)
{
	return (c->generation);
}

bool
credentials_refused(struct credentials *c, bool sure)
{
	if (!c->renewal.running)
		return (false);
	cred_renewal_kick(&c->renewal, sure ? SURE_GAP_US : UNSURE_GAP_US);
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
