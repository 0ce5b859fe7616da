/* SPDX-License-Identifier: ISC */
/*
 * cred_sts.c -- keys of a role, from the Security Token Service.
 *
 * Follows:  AWS STS API reference, version 2011-06-15: AssumeRole, signed with the keys of who takes
 *           the role, and AssumeRoleWithWebIdentity, which carries its proof in the form.
 * What is secret goes in the body, never into the URL.
 */
#include <ctype.h>
#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/timeutil.h"
#include "uploader/cred_priv.h"
#include "uploader/s3_sign.h"

#include "uploader/guard.h"

#define FORM_MAX     32768
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

struct form {
	char *text;
	size_t used;
	bool full;
};

static void
form_add(struct form *f, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	int n =
	    snprintf(f->text + f->used, FORM_MAX - f->used, "%s%s=", f->used > 0 ? "&" : "", name);

	f->used += n > 0 ? (size_t)n : 0;
	for (; *value != '\0' && f->used + 4 < FORM_MAX; value++) {
		unsigned char c = (unsigned char)*value;

		if (isalnum(c) || strchr("-_.~", c) != NULL) {
			f->text[f->used++] = (char)c;
		} else {
			f->text[f->used++] = '%';
			f->text[f->used++] = hex[c >> 4];
			f->text[f->used++] = hex[c & 15];
		}
	}
	f->full |= *value != '\0';
	f->text[f->used] = '\0';
}

/* The usual form of a session's name: who and when. */
static void
form_fill(struct form *f, const struct cred_role *role)
{
	char session[80];

	(void)snprintf(
	    session, sizeof(session), "s3backer-%llu", (unsigned long long)(wall_us() / US_PER_S));
	form_add(f, "Action", role->web_token != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole");
	form_add(f, "Version", "2011-06-15");
	form_add(f, "RoleArn", role->arn);
	form_add(f, "RoleSessionName", role->session != NULL ? role->session : session);
	if (role->duration != NULL)
		form_add(f, "DurationSeconds", role->duration);
	if (role->external_id != NULL)
		form_add(f, "ExternalId", role->external_id);
	if (role->web_token != NULL)
		form_add(f, "WebIdentityToken", role->web_token);
}

void
cred_sts_url(const struct cred_environ *e, const char *region, char *buf, size_t size)
{
	const char *url = e->value[CRED_ENV_STS_URL];

	if (url == NULL)
		url = e->value[CRED_ENV_ANY_URL];
	if (url != NULL)
		(void)snprintf(buf, size, "%s%s", url, url[strlen(url) - 1] == '/' ? "" : "/");
	else
		(void)snprintf(buf, size, "https://sts.%s.amazonaws.com%s/", region,
		    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* Host and path of the URL; -EINVAL: it is none. */
static int
split(const char *url, char *host, size_t host_size, const char **ret_path)
{
	const char *p = strstr(url, "://");
	size_t n;

	if (p == NULL)
		return (-EINVAL);
	p += 3;
	n = strcspn(p, "/");
	if (n == 0 || n >= host_size || p[n] != '/' || strchr(p, '?') != NULL)
		return (-EINVAL);
	memcpy(host, p, n);
	host[n] = '\0';
	*ret_path = p + n;
	return (0);
}

struct lines { /* headers as curl wants them */
	char type[96], date[64], token[CRED_TOKEN_MAX + 32], auth[SIGN_AUTH_SIZE + 32];
};

static int
sign(const char *url, const char *region, const struct cred_keys *by, const struct form *f,
    struct cred_http *q, struct lines *l)
{
	struct sign_cache cache = {.day = ""};
	struct sign_key key = {by->id, by->secret, region};
	char host[256], date[TIME_ISO_LEN], sha[65], auth[SIGN_AUTH_SIZE];
	uint8_t hash[32];
	struct sign_header h[4];
	struct sign_request r = {
	    .method = "POST", .payload_sha256 = sha, .service = "sts", .header = h, .date = date};
	int e = split(url, host, sizeof(host), &r.path);

	if (e < 0)
		return (e);
	gcry_md_hash_buffer(GCRY_MD_SHA256, hash, f->text, f->used);
	sign_hex(hash, sizeof(hash), sha);
	(void)time_iso_basic(wall_us(), date);
	h[r.nheaders++] = (struct sign_header){"Content-Type", CONTENT_TYPE};
	h[r.nheaders++] = (struct sign_header){"Host", host};
	h[r.nheaders++] = (struct sign_header){"X-Amz-Date", date};
	if (by->token[0] != '\0')
		h[r.nheaders++] = (struct sign_header){"X-Amz-Security-Token", by->token};
	e = sign_v4(&cache, &key, &r, auth, NULL);
	explicit_bzero(&cache, sizeof(cache));
	(void)snprintf(l->date, sizeof(l->date), "X-Amz-Date: %s", date);
	(void)snprintf(l->auth, sizeof(l->auth), "Authorization: %s", auth);
	q->header[q->nheaders++] = l->date;
	q->header[q->nheaders++] = l->auth;
	if (by->token[0] != '\0') {
		(void)snprintf(l->token, sizeof(l->token), "X-Amz-Security-Token: %s", by->token);
		q->header[q->nheaders++] = l->token;
	}
	return (e);
}

static int
post(struct cred_ctx *ctx, const struct cred_role *role, const struct form *f,
    struct cred_keys *ret_keys)
{
	static struct lines l; /* one thread */
	char url[512], why[CRED_WHY_MAX] = "";
	struct cred_http q = {
	    .method = "POST", .url = url, .body = f->text, .connect_ms = 5000, .total_ms = 15000};
	int r, parsed;

	cred_sts_url(&ctx->env, role->region, url, sizeof(url));
	(void)snprintf(l.type, sizeof(l.type), "Content-Type: %s", CONTENT_TYPE);
	q.header[q.nheaders++] = l.type;
	if (role->web_token == NULL && (r = sign(url, role->region, role->by, f, &q, &l)) < 0)
		return (cred_fail(ctx, r, "%s is no endpoint of STS", url));
	r = cred_http(&q, ctx->stop_fd, ctx->text, why);
	explicit_bzero(&l, sizeof(l));
	if (r < 0)
		return (cred_fail(ctx, r, "%s: %s", url, why));
	parsed = cred_sts_xml(ctx->text, strlen(ctx->text), ret_keys, why);
	if (r == 200 && parsed == 0)
		return (0);
	if (parsed == -EREMOTEIO)
		return (cred_fail(ctx, -EREMOTEIO, "%s refuses role %s: %s", url, role->arn, why));
	return (cred_fail(ctx, -EREMOTEIO, "%s answered %d: %s", url, r,
	    parsed < 0 ? why : "keys, but no success"));
}

int
cred_sts_assume(struct cred_ctx *ctx, const struct cred_role *role, struct cred_keys *ret_keys)
{
	struct form f = {.text = calloc(1, FORM_MAX)};
	int r;

	if (f.text == NULL)
		return (cred_fail(ctx, -ENOMEM, "no memory"));
	form_fill(&f, role);
	r = f.full ? cred_fail(ctx, -E2BIG, "role %s: the token is too long", role->arn)
		   : post(ctx, role, &f, ret_keys);
	explicit_bzero(f.text, FORM_MAX);
	free(f.text);
	return (r);
}
