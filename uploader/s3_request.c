/* SPDX-License-Identifier: ISC */
#include "uploader/s3_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/timeutil.h"
#include "uploader/credentials.h"
#include "uploader/names.h"

#include "uploader/guard.h"

/* ---- endpoint ---------------------------------------------------------------------------- */
/* The port that goes without saying must not be said: the server signs what a client would send. */
static void
drop_default_port(char *host, const char *scheme)
{
	const char *port = strcasecmp(scheme, "https") == 0 ? ":443" : ":80";
	size_t len = strlen(host), n = strlen(port);

	if (len > n && strcmp(host + len - n, port) == 0)
		host[len - n] = '\0';
}

int
s3_endpoint_set(
    struct s3_endpoint *e, const char *base_url, const char *bucket, bool vhost, const char *region)
{
	struct s3_endpoint n = {.vhost = vhost};
	const char *sep = strstr(base_url, "://"), *slash;

	if (sep == NULL || sep == base_url || sep[3] == '\0' || sep[3] == '/')
		return (-EINVAL);
	n.scheme = strndup(base_url, (size_t)(sep - base_url));
	slash = strchr(sep + 3, '/');
	if (slash == NULL)
		slash = sep + strlen(sep);
	n.plain_host = strndup(sep + 3, (size_t)(slash - (sep + 3)));
	if (n.scheme == NULL || n.plain_host == NULL)
		goto fail;
	drop_default_port(n.plain_host, n.scheme);
	if (asprintf(&n.host, "%s%s%s", vhost ? bucket : "", vhost ? "." : "", n.plain_host) < 0)
		n.host = NULL;
	if (asprintf(&n.base_path, "%s%s", *slash == '/' ? slash : "/",
		*slash == '/' && slash[strlen(slash) - 1] != '/' ? "/" : "") < 0)
		n.base_path = NULL;
	n.bucket = strdup(bucket);
	if (n.host == NULL || n.base_path == NULL || n.bucket == NULL)
		goto fail;
	(void)strlcpy(n.region, region, sizeof(n.region));
	s3_endpoint_free(e);
	*e = n;
	return (0);
fail:
	s3_endpoint_free(&n);
	return (-ENOMEM);
}

void
s3_endpoint_free(struct s3_endpoint *e)
{
	free(e->scheme);
	free(e->host);
	free(e->plain_host);
	free(e->base_path);
	free(e->bucket);
	memset(e, 0, sizeof(*e));
}

/* ---- headers ----------------------------------------------------------------------------- */
void
s3_head_add(struct s3_head *head, const char *name, const char *fmt, ...)
{
	size_t room = sizeof(head->text) - head->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(head->text + head->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || head->n >= SIGN_HEADERS_MAX) {
		head->error = -ENOSPC;
		return;
	}
	head->h[head->n++] = (struct sign_header){name, head->text + head->used};
	head->used += (size_t)n + 1;
}

static int
sign(const struct s3_endpoint *e, struct s3_signer *s, const struct credential *c,
    struct sign_request *sr, struct s3_head *head, char *ret_auth)
{
	struct sign_key key = {c->id, c->secret, e->region};
	uint64_t now = wall_us() + (uint64_t)s->clock_off_us;
	char date[TIME_HTTP_LEN];

	_Static_assert(TIME_ISO_LEN <= TIME_HTTP_LEN, "one buffer for both");
	if (s->v2) {
		s3_head_add(head, "Date", "%s", time_http_date(now, date));
	} else {
		s3_head_add(head, "x-amz-content-sha256", "%s", sr->payload_sha256);
		s3_head_add(head, "x-amz-date", "%s", time_iso_basic(now, date));
	}
	if (c->token != NULL)
		s3_head_add(head, "x-amz-security-token", "%s", c->token);
	if (head->error < 0)
		return (head->error);
	sr->date = date;
	sr->header = head->h;
	sr->nheaders = head->n;
	return (s->v2 ? sign_v2(&key, sr, ret_auth) : sign_v4(&s->cache, &key, sr, ret_auth, NULL));
}

int
s3_request_make(const struct s3_endpoint *e, struct s3_signer *s, const struct credential *c,
    const char *method, const char *key, const char *query, const char *sub_resource,
    const char *payload_sha256, struct s3_head *head, struct http_request *r)
{
	char encoded[NAME_ENCODED], path[NAME_ENCODED + 512], resource[NAME_ENCODED + 640];
	char auth[SIGN_AUTH_SIZE];
	struct sign_request sr = {.method = method,
	    .path = path,
	    .query = query,
	    .resource = resource,
	    .payload_sha256 = payload_sha256 != NULL ? payload_sha256 : SIGN_EMPTY_SHA256};
	int error = 0;

	encoded[0] = '\0';
	if (key != NULL)
		(void)name_encode(key, true, encoded, sizeof(encoded));
	(void)snprintf(path, sizeof(path), "%s%s%s%s", e->base_path, e->vhost ? "" : e->bucket,
	    key != NULL && !e->vhost ? "/" : "", encoded);
	(void)snprintf(resource, sizeof(resource), "%s%s%s%s%s", e->vhost ? "/" : "",
	    e->vhost ? e->bucket : "", path, sub_resource != NULL ? "?" : "",
	    sub_resource != NULL ? sub_resource : "");
	s3_head_add(head, "Host", "%s", e->host);
	if (c != NULL)
		error = sign(e, s, c, &sr, head, auth);
	r->head_len = 0;
	for (unsigned i = 0; i < head->n && error == 0; i++)
		error = http_header(r, head->h[i].name, head->h[i].value);
	if (error == 0 && c != NULL)
		error = http_header(r, "Authorization", auth);
	if (error < 0 || head->error < 0)
		return (error < 0 ? error : head->error);
	free(r->url);
	if (asprintf(&r->url, "%s://%s%s%s%s", e->scheme, e->host, path, query != NULL ? "?" : "",
		query != NULL ? query : "") < 0) {
		r->url = NULL;
		return (-ENOMEM);
	}
	return (0);
}
