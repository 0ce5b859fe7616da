/* SPDX-License-Identifier: ISC */
/*
 * cred_container.c -- the endpoint that ECS, EKS Pod Identity and Greengrass give to a container.
 *
 * Follows:  "Container credential provider" of the AWS SDKs and Tools reference.  The token of the
 *           authorization file is read for each request: it is exchanged while we run.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "uploader/cred_priv.h"

#include "uploader/guard.h"

#define ECS_AGENT "http://169.254.170.2"

/* Hosts to which keys may come in the clear: they are on this machine. */
static bool
is_near(const char *host, size_t len)
{
	static const char *const near[] = {
	    "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};

	if (len > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= len)
		return (true);
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		if (strlen(near[i]) == len && strncasecmp(near[i], host, len) == 0)
			return (true);
	return (false);
}

static size_t
host_length(const char *host)
{
	return (*host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#"));
}

int
cred_container_url(
    const char *relative, const char *full, char *buf, size_t size, const char **ret_why)
{
	if (relative != NULL) {
		*ret_why = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path (/...)";
		return (
		    *relative == '/' && (size_t)snprintf(buf, size, ECS_AGENT "%s", relative) < size
			? 0
			: -EINVAL);
	}
	*ret_why =
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL of https, or of http on this machine";
	if (strlcpy(buf, full, size) >= size || strchr(full, '@') != NULL)
		return (-EINVAL);
	if (strncasecmp(full, "https://", 8) == 0)
		return (full[8] != '\0' ? 0 : -EINVAL);
	if (strncasecmp(full, "http://", 7) == 0 && is_near(full + 7, host_length(full + 7)))
		return (0);
	return (-EINVAL);
}

/* "Authorization: ..." into buf; 0: none is wanted. */
static int
authorization(struct cred_ctx *ctx, char *buf, size_t size)
{
	const char *token = ctx->env.value[CRED_ENV_AUTH_TOKEN];
	int r;

	if (ctx->env.value[CRED_ENV_AUTH_FILE] != NULL) {
		if ((r = cred_ask(ctx, CRED_ASK_AUTH_TOKEN, NULL)) < 0)
			return (r == -ENOENT ? -EINVAL : r);
		token = ctx->text;
	}
	if (token == NULL)
		return (0);
	if (strpbrk(token, "\r\n") != NULL ||
	    (size_t)snprintf(buf, size, "Authorization: %s", token) >= size)
		return (cred_fail(ctx, -EINVAL, "the authorization token is no header value"));
	return (1);
}

int
cred_container_find(struct cred_ctx *ctx, struct cred_keys *k)
{
	char *const *v = ctx->env.value;
	char url[1024], header[CRED_TOKEN_MAX + 32], why[CRED_WHY_MAX];
	struct cred_http q = {.method = "GET",
	    .url = url,
	    .header = {"Accept: application/json", header},
	    .connect_ms = 2000,
	    .total_ms = 5000,
	    .no_proxy = true};
	const char *wrong;
	int r;

	if (v[CRED_ENV_RELATIVE_URI] == NULL && v[CRED_ENV_FULL_URI] == NULL)
		return (cred_fail(ctx, -ENOENT, "no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"));
	if (cred_container_url(
		v[CRED_ENV_RELATIVE_URI], v[CRED_ENV_FULL_URI], url, sizeof(url), &wrong) < 0)
		return (cred_fail(ctx, -EINVAL, "%s", wrong));
	if ((r = authorization(ctx, header, sizeof(header))) < 0)
		return (r);
	q.nheaders = 1 + (unsigned)r;
	r = cred_http(&q, ctx->stop_fd, ctx->text, why);
	explicit_bzero(header, sizeof(header));
	if (r < 0)
		return (cred_fail(ctx, r, "%s: %s", url, why));
	if (r != 200)
		return (cred_fail(ctx, -EREMOTEIO, "%s answered %d", url, r));
	if ((r = cred_json(ctx->text, k, why)) < 0)
		return (cred_fail(ctx, r, "%s: %s", url, why));
	(void)strlcpy(k->source, "container endpoint", sizeof(k->source));
	return (0);
}
