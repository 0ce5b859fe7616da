/* SPDX-License-Identifier: ISC */
/*
 * creds.c -- access keys the server knows (see creds.h).
 */
#include "tests/server/creds.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/text.h"

static struct {
	pthread_rwlock_t lock;
	struct creds *list;
	int n;
} known = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static struct creds *
lookup(const char *id)
{
	for (int i = 0; i < known.n; i++) {
		if (strcmp(known.list[i].id, id) == 0)
			return (&known.list[i]);
	}
	return (NULL);
}

int
creds_add_until(const char *spec, time_t expires)
{
	size_t id = strcspn(spec, ":"), secret;
	struct creds c, *old;

	if (id == 0 || spec[id] == '\0')
		return (-EINVAL);
	secret = strcspn(spec + id + 1, ":");
	if (secret == 0)
		return (-EINVAL);
	c.id = xstrndup(spec, id);
	c.secret = xstrndup(spec + id + 1, secret);
	spec += id + 1 + secret;
	c.expires = expires;
	c.token = *spec == ':' && spec[1] != '\0' ? xstrdup(spec + 1) : NULL;
	pthread_rwlock_wrlock(&known.lock);
	old = lookup(c.id);
	if (old != NULL) {
		creds_free(old);
	} else {
		known.list = xrealloc(known.list, (size_t)(known.n + 1) * sizeof(*known.list));
		old = &known.list[known.n++];
	}
	*old = c;
	pthread_rwlock_unlock(&known.lock);
	return (0);
}

int
creds_add(const char *spec)
{
	return (creds_add_until(spec, 0));
}

int
creds_remove(const char *id)
{
	struct creds *c;

	pthread_rwlock_wrlock(&known.lock);
	c = lookup(id);
	if (c != NULL) {
		creds_free(c);
		*c = known.list[--known.n];
	}
	pthread_rwlock_unlock(&known.lock);
	return (c ? 0 : -ENOENT);
}

int
creds_find(const char *id, struct creds *ret_creds)
{
	struct creds *c;

	pthread_rwlock_rdlock(&known.lock);
	c = lookup(id);
	if (c != NULL) {
		ret_creds->expires = c->expires;
		ret_creds->id = xstrdup(c->id);
		ret_creds->secret = xstrdup(c->secret);
		ret_creds->token = c->token ? xstrdup(c->token) : NULL;
	}
	pthread_rwlock_unlock(&known.lock);
	return (c ? 0 : -ENOENT);
}

void
creds_free(struct creds *c)
{
	free(c->id);
	free(c->secret);
	free(c->token);
	memset(c, 0, sizeof(*c));
}

int
creds_count(void)
{
	return (known.n);
}
