/* SPDX-License-Identifier: ISC */
/*
 * cred_environ.c -- the variables of the AWS tools.
 *
 * They are taken once, before the thread that looks for keys starts.  Those that hold a secret are
 * then wiped where they lie, so that /proc/PID/environ of the uploader does not show them for its lifetime.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/envwipe.h"
#include "uploader/cred_priv.h"

#include "uploader/guard.h"

static const struct {
	const char *name;
	bool secret;
} variable[CRED_NENV] = {
    [CRED_ENV_ID] = {"AWS_ACCESS_KEY_ID", false},
    [CRED_ENV_SECRET] = {"AWS_SECRET_ACCESS_KEY", true},
    [CRED_ENV_TOKEN] = {"AWS_SESSION_TOKEN", true},
    [CRED_ENV_PROFILE] = {"AWS_PROFILE", false},
    [CRED_ENV_DEFAULT_PROFILE] = {"AWS_DEFAULT_PROFILE", false},
    [CRED_ENV_REGION] = {"AWS_REGION", false},
    [CRED_ENV_DEFAULT_REGION] = {"AWS_DEFAULT_REGION", false},
    [CRED_ENV_ROLE_ARN] = {"AWS_ROLE_ARN", false},
    [CRED_ENV_ROLE_SESSION] = {"AWS_ROLE_SESSION_NAME", false},
    [CRED_ENV_WEB_FILE] = {"AWS_WEB_IDENTITY_TOKEN_FILE", false},
    [CRED_ENV_STS_URL] = {"AWS_ENDPOINT_URL_STS", false},
    [CRED_ENV_ANY_URL] = {"AWS_ENDPOINT_URL", false},
    [CRED_ENV_RELATIVE_URI] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", false},
    [CRED_ENV_FULL_URI] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", false},
    [CRED_ENV_AUTH_TOKEN] = {"AWS_CONTAINER_AUTHORIZATION_TOKEN", true},
    [CRED_ENV_AUTH_FILE] = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", false},
    [CRED_ENV_EC2_OFF] = {"AWS_EC2_METADATA_DISABLED", false},
    [CRED_ENV_EC2_URL] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT", false},
    [CRED_ENV_EC2_MODE] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", false},
    [CRED_ENV_EC2_V1_OFF] = {"AWS_EC2_METADATA_V1_DISABLED", false},
    [CRED_ENV_EC2_TIMEOUT] = {"AWS_METADATA_SERVICE_TIMEOUT", false},
    [CRED_ENV_EC2_TRIES] = {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", false},
};

/* Kept for as long as the process lives, which may open its store more than once. */
int
cred_environ_take(struct cred_environ *ret_environ)
{
	static struct cred_environ env;
	static bool taken;

	for (int i = 0; i < CRED_NENV && !taken; i++) {
		char *value = getenv(variable[i].name);

		if (value == NULL || *value == '\0')
			continue;
		if ((env.value[i] = strdup(value)) == NULL)
			return (-ENOMEM);
		if (variable[i].secret)
			env_wipe(variable[i].name);
	}
	taken = true;
	*ret_environ = env;
	return (0);
}

int
cred_environ_find(struct cred_ctx *ctx, struct cred_keys *k)
{
	char *const *v = ctx->env.value;

	if (v[CRED_ENV_ID] == NULL && v[CRED_ENV_SECRET] == NULL)
		return (cred_fail(ctx, -ENOENT, "no AWS_ACCESS_KEY_ID"));
	if (v[CRED_ENV_ID] == NULL || v[CRED_ENV_SECRET] == NULL)
		return (cred_fail(ctx, -EINVAL,
		    "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set"));
	memset(k, 0, sizeof(*k));
	if (strlcpy(k->id, v[CRED_ENV_ID], sizeof(k->id)) >= sizeof(k->id) ||
	    strlcpy(k->secret, v[CRED_ENV_SECRET], sizeof(k->secret)) >= sizeof(k->secret) ||
	    (v[CRED_ENV_TOKEN] != NULL &&
		strlcpy(k->token, v[CRED_ENV_TOKEN], sizeof(k->token)) >= sizeof(k->token)))
		return (cred_fail(ctx, -E2BIG, "a key in the environment is too long"));
	(void)strlcpy(k->source, "environment", sizeof(k->source));
	return (0);
}
