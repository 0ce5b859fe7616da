/* SPDX-License-Identifier: ISC */
/*
 * cred_ec2.c -- the role of an EC2 machine, from its metadata service.
 *
 * Follows:  "Use IMDS" of the EC2 user guide.  Version 2 first: a PUT gives a session token that the
 *           GETs carry.  Its answer travels one hop by default, so that inside a container the PUT
 *           just stays without one: then version 1 is tried, unless accessEC2IAM-IMDSv2 or
 *           AWS_EC2_METADATA_V1_DISABLED forbid it.  On a machine that is none of Amazon's nothing
 *           answers at all; that has to cost seconds, not minutes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "uploader/cred_priv.h"

#include "uploader/guard.h"

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define TOKEN_PATH "/latest/api/token"
#define TOKEN_TTL  "X-aws-ec2-metadata-token-ttl-seconds: 21600"

struct imds {
	char url[512];
	char header[512]; /* the session token; "": version 1 */
	long timeout_ms;
	unsigned tries;
};

static bool
is_true(const char *value)
{
	return (value != NULL && strcasecmp(value, "true") == 0);
}

static void
settle(const struct cred_ctx *ctx, struct imds *m)
{
	char *const *v = ctx->env.value;
	const char *url = v[CRED_ENV_EC2_URL];
	long seconds = v[CRED_ENV_EC2_TIMEOUT] != NULL ? atol(v[CRED_ENV_EC2_TIMEOUT]) : 1;
	long tries = v[CRED_ENV_EC2_TRIES] != NULL ? atol(v[CRED_ENV_EC2_TRIES]) : 1;
	size_t len;

	memset(m, 0, sizeof(*m));
	if (url == NULL)
		url = v[CRED_ENV_EC2_MODE] != NULL && strcasecmp(v[CRED_ENV_EC2_MODE], "IPv6") == 0
			  ? "http://[fd00:ec2::254]"
			  : "http://169.254.169.254";
	(void)strlcpy(m->url, url, sizeof(m->url));
	while ((len = strlen(m->url)) > 0 && m->url[len - 1] == '/')
		m->url[len - 1] = '\0';
	m->timeout_ms = (seconds < 1 ? 1 : seconds > 60 ? 60 : seconds) * 1000;
	m->tries = tries < 1 ? 1 : tries > 10 ? 10 : (unsigned)tries;
}

static int
request(struct cred_ctx *ctx, const struct imds *m, const char *method, const char *path,
    const char *header, char *why)
{
	char url[1024];
	struct cred_http q = {.method = method,
	    .url = url,
	    .header = {header},
	    .nheaders = *header != '\0',
	    .connect_ms = m->timeout_ms,
	    /* A session's answer may never come; whoever takes a GET answers it. */
	    .total_ms = m->timeout_ms * (strcmp(method, "PUT") == 0 ? 2 : 5),
	    .no_proxy = true};
	int r = -EINVAL;

	(void)snprintf(url, sizeof(url), "%s%s", m->url, path);
	for (unsigned i = 0; i < m->tries; i++) {
		r = cred_http(&q, ctx->stop_fd, ctx->text, why);
		if (r == -ECANCELED || (r >= 0 && r < 500))
			break;
	}
	return (r);
}

/* A session of version 2, or the decision to do without. */
static int
open_session(struct cred_ctx *ctx, struct imds *m)
{
	bool v2_only =
	    ctx->conf->access_ec2_iam_imdsv2 || is_true(ctx->env.value[CRED_ENV_EC2_V1_OFF]);
	char why[CRED_WHY_MAX] = "";
	int status = request(ctx, m, "PUT", TOKEN_PATH, TOKEN_TTL, why);

	if (status == 200 && ctx->text[0] != '\0' && strpbrk(ctx->text, "\r\n") == NULL &&
	    (size_t)snprintf(m->header, sizeof(m->header), "X-aws-ec2-metadata-token: %s",
		ctx->text) < sizeof(m->header))
		return (0);
	m->header[0] = '\0';
	if (status == -ECANCELED)
		return (status);
	if (status == -EHOSTUNREACH)
		return (cred_fail(ctx, status, "%s does not answer: %s", m->url, why));
	if (!v2_only)
		return (0);
	if (status < 0)
		return (cred_fail(ctx, status, "%s gives no token (version 2): %s", m->url, why));
	return (cred_fail(
	    ctx, -EREMOTEIO, "%s gives no token (version 2): it answered %d", m->url, status));
}

static int
get(struct cred_ctx *ctx, const struct imds *m, const char *path)
{
	char why[CRED_WHY_MAX] = "";
	int status = request(ctx, m, "GET", path, m->header, why);

	if (status == -ECANCELED)
		return (status);
	if (status < 0)
		return (cred_fail(ctx, status, "%s does not answer: %s", m->url, why));
	if (status == 401 && m->header[0] == '\0')
		return (cred_fail(ctx, -EACCES,
		    "%s wants version 2, whose token does not reach us (raise the machine's "
		    "metadata hop limit to 2)",
		    m->url));
	if (status != 200)
		return (cred_fail(ctx, -EREMOTEIO, "%s answered %d to %s%s", m->url, status, path,
		    status == 404 ? " (has this machine a role?)" : ""));
	return (0);
}

static int
find_role(struct cred_ctx *ctx, const struct imds *m, char *buf, size_t size)
{
	const char *given = ctx->conf->access_ec2_iam;
	int r;

	if (given != NULL && *given != '\0') {
		(void)strlcpy(buf, given, size);
		return (0);
	}
	if ((r = get(ctx, m, ROLES_PATH)) < 0)
		return (r);
	ctx->text[strcspn(ctx->text, "\r\n")] = '\0';
	if (ctx->text[0] == '\0' || strpbrk(ctx->text, "/?# ") != NULL ||
	    strlcpy(buf, ctx->text, size) >= size)
		return (cred_fail(ctx, -EREMOTEIO, "%s names no role", m->url));
	return (0);
}

int
cred_ec2_find(struct cred_ctx *ctx, struct cred_keys *k)
{
	char path[512], role[256], why[CRED_WHY_MAX];
	struct imds m;
	int r;

	if (ctx->plan == CRED_PLAN_CHAIN && is_true(ctx->env.value[CRED_ENV_EC2_OFF]))
		return (cred_fail(ctx, -ENOENT, "AWS_EC2_METADATA_DISABLED"));
	settle(ctx, &m);
	if ((r = open_session(ctx, &m)) < 0 || (r = find_role(ctx, &m, role, sizeof(role))) < 0)
		return (r);
	(void)snprintf(path, sizeof(path), ROLES_PATH "%s", role);
	if ((r = get(ctx, &m, path)) < 0)
		return (r);
	if ((r = cred_json(ctx->text, k, why)) < 0)
		return (cred_fail(ctx, r, "%s: %s", m.url, why));
	(void)snprintf(k->source, sizeof(k->source), "EC2 role %s (metadata version %d)", role,
	    m.header[0] != '\0' ? 2 : 1);
	return (0);
}
