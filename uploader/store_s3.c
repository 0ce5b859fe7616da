/* SPDX-License-Identifier: ISC */
/*
 * store_s3.c -- the S3 backend: one HTTP request per attempt.  Parts: see s3_priv.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/counters.h"
#include "common/timeutil.h"
#include "ipc/pool.h"
#include "uploader/credentials.h"
#include "uploader/s3_priv.h"

#include "uploader/guard.h"

/*
 * For libcurl's buffers, whole pool: 512 transfers get 32 KiB each, a few get the 256 KiB that a fast
 * line wants.
 */
#define BUFFER_BUDGET (UINT64_C(16) << 20)

static void
s3_free(struct s3_op *s)
{
	s->op->priv = NULL;
	(void)crc32_sum_end(&s->crc);
	xml_list_free(s->list);
	http_forget(&s->http);
	free(s->http.url);
	free(s->buffer);
	free(s->body);
	free(s);
}

void
s3_finish(struct s3_op *s)
{
	struct store_op *op = s->op;

	s3_free(s);
	op->done(op);
}

static bool
s3_cancel(struct store *store, struct store_op *op)
{
	struct s3_op *s = op->priv;

	(void)store;
	if (s == NULL || s->in_job || !http_cancel(&s->http))
		return (false);
	s3_free(s);
	return (true);
}

static void
start(struct s3 *s3, struct s3_op *s)
{
	int error;

	s3_body_sink(s);
	s->keys = credentials_generation(s3->credentials);
	error = credentials_missing(s3->credentials) != NULL ? -ENOKEY : s3_build(s3, s);
	if (error < 0) {
		/* A URL that does not exist fails inside, where `done` may be called from. */
		free(s->http.url);
		s->http.url = NULL;
		s->http.head_len = 0;
	}
	http_submit(s3->http, &s->http);
}

static void
on_http_done(struct http_request *r)
{
	struct s3_op *s = (struct s3_op *)r;
	struct s3 *s3 = s->s3;
	bool later = false;
	int error;

	if (r->reply.error == -EAGAIN && s->no_range) {
		http_forget(r);
		start(s3, s); /* once: without a range the status is never 206 */
		return;
	}
	if (r->reply.error == 0 && r->reply.status >= 200 && r->reply.status < 300 &&
	    (error = s3_body_end(s, &later)) < 0)
		r->reply.error = error;
	if (later)
		return;
	s3_judge(s3, s);
	s3_finish(s);
}

static void
s3_submit(struct store *store, struct store_op *op)
{
	struct s3 *s3 = (struct s3 *)store;
	struct s3_op *s = calloc(1, sizeof(*s));

	MUST(s != NULL); /* 6 KiB; the kernel overcommits */
	memset(&op->reply, 0, sizeof(op->reply));
	s->s3 = s3;
	s->op = op;
	op->priv = s;
	s->http.done = on_http_done;
	start(s3, s);
}

static void
s3_found(struct store *store, char *buf, size_t size)
{
	const struct s3 *s3 = (struct s3 *)store;

	static const char *const checksums[] = {"", " checksums=taken", " checksums=refused"};

	buf[0] = '\0';
	if (s3->place_found)
		(void)snprintf(buf, size, "region=%s style=%s", s3->endpoint.region,
		    s3->endpoint.vhost ? "vhost" : "path");
	(void)strlcat(buf, checksums[s3->checksums] + (buf[0] == '\0' && s3->checksums != 0), size);
}

static void
s3_keys(struct store *store, char *buf, size_t size)
{
	credentials_describe(((struct s3 *)store)->credentials, buf, size);
}

static void
s3_close(struct store *store)
{
	struct s3 *s3 = (struct s3 *)store;

	http_close(&s3->http);
	credentials_close(&s3->credentials);
	explicit_bzero(&s3->signer, sizeof(s3->signer));
	s3_endpoint_free(&s3->endpoint);
	free(s3);
}

static const struct store_backend s3_backend = {
    .name = "s3",
    .submit = s3_submit,
    .cancel = s3_cancel,
    .found = s3_found,
    .keys = s3_keys,
    .close = s3_close,
};

static int
open_http(struct s3 *s3)
{
	const struct store_env *env = &s3->env;
	const struct conf *conf = env->conf;
	struct http_conf hc = {
	    .max_transfers = env->max_transfers,
	    .buffer_budget = BUFFER_BUDGET / env->nprocesses,
	    .timeout_us = conf->timeout_us,
	    .connect_timeout_us = min_u64(conf->timeout_us, 10 * US_PER_S),
	    .cacert = conf->cacert,
	    .user_agent = "s3backer/" S3B_VERSION,
	    .tls = strcmp(s3->endpoint.scheme, "https") == 0,
	    .insecure = conf->insecure,
	    .fresh_connections = conf->no_curl_cache,
	    .verbose = conf->debug_http,
	    .ip_tos = conf_is_set(conf, CONF_ipTOS) ? (int)conf->ip_tos : -1,
	    .per_upload_bps = conf->max_upload_bps,
	    .per_download_bps = conf->max_download_bps,
	    .upload = env->pool != NULL ? &env->pool->up : NULL,
	    .download = env->pool != NULL ? &env->pool->down : NULL,
	};

	return (http_open(env->loop, &hc, env->counters, &s3->http));
}

int
store_s3_open(const struct store_env *env, struct store **ret_store, char **ret_error)
{
	const struct conf *conf = env->conf;
	struct s3 *s3 = calloc(1, sizeof(*s3));
	int error;

	*ret_error = NULL;
	if (s3 == NULL)
		return (-ENOMEM);
	s3->store.backend = &s3_backend;
	s3->env = *env;
	s3->store.learn_md5 = conf->verify_reads;
	s3->signer.v2 = conf->auth_version == CONF_AUTH_AWS2;
	error = s3_endpoint_set(&s3->endpoint, conf->base_url, conf->bucket_name, conf->use_vhost,
	    conf->region != NULL ? conf->region : "us-east-1");
	if (error == -EINVAL && asprintf(ret_error, "baseURL: %s is no URL", conf->base_url) < 0)
		*ret_error = NULL;
	/* Checksums and MD5s are of whole objects: what vouches for a part is TLS, or nothing. */
	s3->store.parts =
	    codec_is_plain(env->codec) &&
	    (!conf->verify_reads || (error == 0 && strcmp(s3->endpoint.scheme, "https") == 0));
	if (error == 0)
		s3->on_aws = !conf_is_set(conf, CONF_baseURL) ||
			     strstr(s3->endpoint.plain_host, ".amazonaws.com") != NULL;
	if (error == 0)
		error = credentials_open(env->conf, env->loop, env->reader, env->state != NULL,
		    &s3->credentials, ret_error);
	if (error == 0)
		error = open_http(s3);
	if (error < 0) {
		if (*ret_error == NULL && asprintf(ret_error, "store: %s", strerror(-error)) < 0)
			*ret_error = NULL;
		s3_close(&s3->store);
		return (error);
	}
	*ret_store = &s3->store;
	return (0);
}
