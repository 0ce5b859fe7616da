/* SPDX-License-Identifier: ISC */
/*
 * cred_chain.c -- where keys are looked for, in which order.
 *
 * A source that is not configured is passed over.  One that is, and does not work, ends the search
 * with its reason: to go on with other keys than the user meant would be worse than to stop.
 * What had keys once is asked from then on; others that turn up later change nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "uploader/cred_priv.h"

#include "uploader/guard.h"

int
cred_fail(struct cred_ctx *ctx, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(ctx->why, sizeof(ctx->why), fmt, ap);
	va_end(ap);
	return (err);
}

void
cred_keys_wipe(struct cred_keys *k)
{
	explicit_bzero(k, sizeof(*k));
}

int
cred_ask(struct cred_ctx *ctx, enum cred_ask ask, const char *name)
{
	ssize_t n = cred_reader_ask(ctx->reader, ask, name, ctx->stop_fd, ctx->text, CRED_TEXT_MAX);

	ctx->used_files = true;
	if (n >= 0)
		return (0);
	return (cred_fail(ctx, (int)n, "%s", ctx->text));
}

/* accessFile: "ID:KEY". */
static int
access_file(struct cred_ctx *ctx, struct cred_keys *k)
{
	int r = cred_ask(ctx, CRED_ASK_ACCESS_FILE, NULL);
	char *key;

	if (r < 0)
		return (r == -ENOENT ? -EINVAL : r);
	memset(k, 0, sizeof(*k));
	if ((key = strchr(ctx->text, ':')) == NULL)
		return (cred_fail(ctx, -EPROTO, "accessFile"));
	*key++ = '\0';
	if (strlcpy(k->id, ctx->text, sizeof(k->id)) >= sizeof(k->id) ||
	    strlcpy(k->secret, key, sizeof(k->secret)) >= sizeof(k->secret))
		return (cred_fail(ctx, -E2BIG, "%s: a key is too long", ctx->conf->access_file));
	(void)snprintf(k->source, sizeof(k->source), "accessFile %s", ctx->conf->access_file);
	return (0);
}

/* AWS_PROFILE has to exist when it is set; the profile that goes without saying need not. */
static int
shared_files(struct cred_ctx *ctx, struct cred_keys *k)
{
	const char *name = ctx->env.value[CRED_ENV_PROFILE];
	int r;

	if (name == NULL)
		name = ctx->env.value[CRED_ENV_DEFAULT_PROFILE];
	r = cred_profile_find(ctx, name != NULL ? name : "default", k);
	return (r == -ENOENT && name != NULL ? -EINVAL : r);
}

static int
named_profile(struct cred_ctx *ctx, struct cred_keys *k)
{
	int r = cred_profile_find(ctx, ctx->conf->profile, k);

	return (r == -ENOENT ? -EINVAL : r);
}

static const struct {
	const char *name;
	int (*find)(struct cred_ctx *, struct cred_keys *);
} sources[] = {
    {"environment", cred_environ_find},
    {"shared files", shared_files},
    {"web identity", cred_web_identity},
    {"container", cred_container_find},
    {"EC2", cred_ec2_find},
};
#define NSOURCES ((int)(sizeof(sources) / sizeof(sources[0])))

static int
chain(struct cred_ctx *ctx, struct cred_keys *k)
{
	char tried[CRED_WHY_MAX] = "", why[CRED_WHY_MAX];
	int r;

	if (ctx->found >= 0)
		return (sources[ctx->found].find(ctx, k));
	for (int i = 0; i < NSOURCES; i++) {
		size_t used = strlen(tried);

		r = sources[i].find(ctx, k);
		if (r == 0)
			ctx->found = i;
		if (r == 0 || r == -ECANCELED)
			return (r);
		/* Nobody configures EC2: where nothing answers it is as if it were not there. */
		if (r != -ENOENT && i < NSOURCES - 1) {
			(void)strlcpy(why, ctx->why, sizeof(why));
			return (cred_fail(ctx, r, "%s: %.1200s", sources[i].name, why));
		}
		(void)snprintf(tried + used, sizeof(tried) - used, "%s%s: %.240s",
		    used > 0 ? "; " : "", sources[i].name, ctx->why);
	}
	return (cred_fail(ctx, -ENOKEY,
	    "no keys for the store (accessFile, accessId with accessKey, profile, or accessId "
	    "empty "
	    "for anonymous access); tried %.1300s",
	    tried));
}

int
cred_chain_find(struct cred_ctx *ctx, struct cred_keys *ret_keys)
{
	int r;

	ctx->why[0] = '\0';
	ctx->used_files = false;
	if (ctx->reader != NULL && (r = cred_ask(ctx, CRED_ASK_BEGIN, NULL)) < 0)
		return (r);
	ctx->used_files = false;
	switch (ctx->plan) {
	case CRED_PLAN_FILE:
		r = access_file(ctx, ret_keys);
		break;
	case CRED_PLAN_PROFILE:
		r = named_profile(ctx, ret_keys);
		break;
	case CRED_PLAN_EC2:
		r = cred_ec2_find(ctx, ret_keys);
		break;
	default:
		r = chain(ctx, ret_keys);
		break;
	}
	explicit_bzero(ctx->text, CRED_TEXT_MAX);
	return (r);
}
