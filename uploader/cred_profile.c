/* SPDX-License-Identifier: ISC */
/*
 * cred_profile.c -- profiles of ~/.aws/credentials and ~/.aws/config, with the roles they name.
 *
 *	role_arn + web_identity_token_file	AssumeRoleWithWebIdentity
 *	role_arn + source_profile		AssumeRole, by the keys of that profile, and so on
 *	role_arn + credential_source		AssumeRole, by those of environment, machine or container
 *	aws_access_key_id ...			these
 *	credential_process			those that a command prints
 *
 * The first of these that a profile has; a profile that is its own source gives its keys.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "uploader/cred_priv.h"

#include "uploader/guard.h"

#define CHAIN_MAX 8 /* profiles behind each other; a ring ends here */

struct profile {
	char name[CRED_NAME_MAX];
	char *text; /* NAME=VALUE lines, cut up */
	size_t len;
};

static const char *
value_of(const struct profile *p, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = p->text; s < p->text + p->len; s += strlen(s) + 1)
		if (strncmp(s, name, n) == 0 && s[n] == '=')
			return (s + n + 1);
	return (NULL);
}

static void
unload(struct profile *p)
{
	if (p->text != NULL)
		explicit_bzero(p->text, p->len);
	free(p->text);
	p->text = NULL;
}

static int
load(struct cred_ctx *ctx, const char *name, struct profile *p)
{
	int r;

	memset(p, 0, sizeof(*p));
	if (strlcpy(p->name, name, sizeof(p->name)) >= sizeof(p->name))
		return (cred_fail(ctx, -EINVAL, "profile: the name is too long"));
	if ((r = cred_ask(ctx, CRED_ASK_PROFILE, name)) < 0)
		return (r);
	p->len = strlen(ctx->text);
	if ((p->text = malloc(p->len + 1)) == NULL)
		return (cred_fail(ctx, -ENOMEM, "no memory"));
	memcpy(p->text, ctx->text, p->len + 1);
	explicit_bzero(ctx->text, p->len);
	for (char *s = p->text; *s != '\0'; s++)
		if (*s == '\n')
			*s = '\0';
	return (0);
}

static int
static_keys(struct cred_ctx *ctx, const struct profile *p, struct cred_keys *k)
{
	const char *id = value_of(p, "aws_access_key_id"),
		   *secret = value_of(p, "aws_secret_access_key"),
		   *token = value_of(p, "aws_session_token");

	if (id == NULL || secret == NULL)
		return (cred_fail(ctx, -EINVAL, "profile %s: %s is missing", p->name,
		    id == NULL ? "aws_access_key_id" : "aws_secret_access_key"));
	memset(k, 0, sizeof(*k));
	if (strlcpy(k->id, id, sizeof(k->id)) >= sizeof(k->id) ||
	    strlcpy(k->secret, secret, sizeof(k->secret)) >= sizeof(k->secret) ||
	    strlcpy(k->token, token != NULL ? token : "", sizeof(k->token)) >= sizeof(k->token))
		return (cred_fail(ctx, -E2BIG, "profile %s: a key is too long", p->name));
	(void)snprintf(k->source, sizeof(k->source), "profile %s", p->name);
	return (0);
}

static int
process_keys(struct cred_ctx *ctx, const struct profile *p, struct cred_keys *k)
{
	char why[CRED_WHY_MAX];
	int r = cred_ask(ctx, CRED_ASK_PROCESS, p->name);

	if (r == -ECANCELED)
		return (r);
	if (r < 0) {
		(void)strlcpy(why, ctx->why, sizeof(why));
		return (cred_fail(ctx, -EREMOTEIO, "profile %s: %.500s", p->name, why));
	}
	if ((r = cred_json(ctx->text, k, why)) < 0)
		return (cred_fail(ctx, r, "profile %s: credential_process: %s", p->name, why));
	(void)snprintf(k->source, sizeof(k->source), "profile %s, credential_process", p->name);
	return (0);
}

static const char *
region_of(const struct cred_ctx *ctx, const struct profile *p)
{
	const char *region = p != NULL ? value_of(p, "region") : NULL;

	if (region == NULL)
		region = ctx->env.value[CRED_ENV_REGION];
	if (region == NULL)
		region = ctx->env.value[CRED_ENV_DEFAULT_REGION];
	if (region == NULL)
		region = ctx->conf->region;
	return (region != NULL ? region : "us-east-1");
}

/* Who takes the role: a source in words of the config file. */
static int
named_source(struct cred_ctx *ctx, const struct profile *p, const char *source, struct cred_keys *k)
{
	char why[CRED_WHY_MAX];
	int r;

	if (strcmp(source, "Environment") == 0)
		r = cred_environ_find(ctx, k);
	else if (strcmp(source, "Ec2InstanceMetadata") == 0)
		r = cred_ec2_find(ctx, k);
	else if (strcmp(source, "EcsContainer") == 0)
		r = cred_container_find(ctx, k);
	else
		return (cred_fail(ctx, -EINVAL,
		    "profile %s: credential_source is not Environment, Ec2InstanceMetadata or "
		    "EcsContainer",
		    p->name));
	if (r >= 0 || r == -ECANCELED)
		return (r);
	(void)strlcpy(why, ctx->why, sizeof(why));
	return (cred_fail(ctx, -EREMOTEIO, "profile %s: credential_source: %.900s", p->name, why));
}

static int find(
    struct cred_ctx *, const char *name, const char *child, unsigned depth, struct cred_keys *);

static int
by_web_token(
    struct cred_ctx *ctx, const struct profile *p, struct cred_role *role, struct cred_keys *k)
{
	char *token;
	int r = cred_ask(ctx, CRED_ASK_WEB_TOKEN, p->name);

	if (r < 0)
		return (r == -ENOENT ? -EINVAL : r);
	if ((token = strdup(ctx->text)) == NULL)
		return (cred_fail(ctx, -ENOMEM, "no memory"));
	role->web_token = token;
	r = cred_sts_assume(ctx, role, k);
	explicit_bzero(token, strlen(token));
	free(token);
	return (r);
}

static int
by_keys(struct cred_ctx *ctx, const struct profile *p, struct cred_role *role, unsigned depth,
    struct cred_keys *k)
{
	const char *profile = value_of(p, "source_profile"),
		   *source = value_of(p, "credential_source");
	struct cred_keys *by;
	int r;

	if (value_of(p, "mfa_serial") != NULL)
		return (cred_fail(ctx, -EINVAL,
		    "profile %s: mfa_serial: there is nobody to ask for a code", p->name));
	if ((profile == NULL) == (source == NULL))
		return (cred_fail(ctx, -EINVAL,
		    "profile %s: role_arn needs source_profile, credential_source or "
		    "web_identity_token_file",
		    p->name));
	if ((by = calloc(1, sizeof(*by))) == NULL)
		return (cred_fail(ctx, -ENOMEM, "no memory"));
	r = profile != NULL ? find(ctx, profile, p->name, depth + 1, by)
			    : named_source(ctx, p, source, by);
	role->by = by;
	if (r == -ENOENT) /* named, and not there */
		r = -EINVAL;
	if (r == 0)
		r = cred_sts_assume(ctx, role, k);
	cred_keys_wipe(by);
	free(by);
	return (r);
}

static int
by_role(struct cred_ctx *ctx, const struct profile *p, unsigned depth, struct cred_keys *k)
{
	struct cred_role role = {.arn = value_of(p, "role_arn"),
	    .session = value_of(p, "role_session_name"),
	    .external_id = value_of(p, "external_id"),
	    .duration = value_of(p, "duration_seconds"),
	    .region = region_of(ctx, p)};
	int r;

	if (value_of(p, "web_identity_token_file") != NULL)
		r = by_web_token(ctx, p, &role, k);
	else
		r = by_keys(ctx, p, &role, depth, k);
	if (r == 0)
		(void)snprintf(
		    k->source, sizeof(k->source), "profile %s, role %.120s", p->name, role.arn);
	return (r);
}

/* `child`: the profile whose source this is; its own keys are meant if it names itself. */
static int
find(struct cred_ctx *ctx, const char *name, const char *child, unsigned depth, struct cred_keys *k)
{
	bool own = child != NULL && strcmp(child, name) == 0;
	struct profile p;
	int r;

	if (depth >= CHAIN_MAX)
		return (cred_fail(ctx, -ELOOP, "profile %s: source_profile goes in circles", name));
	if ((r = load(ctx, name, &p)) < 0)
		return (r);
	if (value_of(&p, "role_arn") != NULL && !own)
		r = by_role(ctx, &p, depth, k);
	else if (value_of(&p, "aws_access_key_id") != NULL ||
		 value_of(&p, "aws_secret_access_key") != NULL)
		r = static_keys(ctx, &p, k);
	else if (value_of(&p, "credential_process") != NULL)
		r = process_keys(ctx, &p, k);
	else if (value_of(&p, "sso_session") != NULL || value_of(&p, "sso_start_url") != NULL)
		r = cred_fail(ctx, -EOPNOTSUPP,
		    "profile %s uses SSO (credential_process = aws configure export-credentials "
		    "--profile %s)",
		    name, name);
	else
		r = cred_fail(ctx, -ENOENT, "profile %s has no keys", name);
	unload(&p);
	return (r);
}

int
cred_profile_find(struct cred_ctx *ctx, const char *name, struct cred_keys *ret_keys)
{
	return (find(ctx, name, NULL, 0, ret_keys));
}

/* AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, as EKS sets them. */
int
cred_web_identity(struct cred_ctx *ctx, struct cred_keys *k)
{
	struct cred_role role = {.arn = ctx->env.value[CRED_ENV_ROLE_ARN],
	    .session = ctx->env.value[CRED_ENV_ROLE_SESSION],
	    .region = region_of(ctx, NULL)};
	struct profile none = {.name = ""};
	int r;

	if (ctx->env.value[CRED_ENV_WEB_FILE] == NULL)
		return (cred_fail(ctx, -ENOENT, "no AWS_WEB_IDENTITY_TOKEN_FILE"));
	if (role.arn == NULL)
		return (
		    cred_fail(ctx, -EINVAL, "AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN"));
	if ((r = by_web_token(ctx, &none, &role, k)) == 0)
		(void)snprintf(k->source, sizeof(k->source), "web identity, role %.120s", role.arn);
	return (r);
}
