/* SPDX-License-Identifier: ISC */
/*
 * admin.c -- /_s3testd/ (see admin.h; README.md lists the requests).
 */
#include "tests/server/admin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/server/aws.h"
#include "tests/server/creds.h"
#include "tests/server/options.h"
#include "tests/server/reqlog.h"
#include "tests/server/request.h"
#include "tests/server/s3.h"
#include "tests/server/text.h"

static void
say(struct request *rq, int status, const char *text)
{
	struct text t = TEXT_EMPTY;

	text_puts(&t, text);
	text_puts(&t, "\n");
	reply_text(rq, status, "text/plain", &t);
}

static void
show(struct request *rq, const char *type, void (*fn)(struct text *))
{
	struct text t = TEXT_EMPTY;

	fn(&t);
	reply_text(rq, 200, type, &t);
}

/* The body's lines one by one; stops at the first that fn refuses, and says so. */
static void
each_line(struct request *rq, int (*fn)(const char *, const char **))
{
	char *copy = rq->body ? xstrndup(rq->body->data, rq->body->len) : xstrdup("");
	const char *why = "not understood";
	char *save, *line;

	for (line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		if (fn(line, &why) < 0) {
			struct text t = TEXT_EMPTY;

			text_printf(&t, "%s: %s", line, why);
			say(rq, 400, t.s);
			text_free(&t);
			free(copy);
			return;
		}
	}
	free(copy);
	say(rq, 200, "ok");
}

static int
add_fault(const char *line, const char **ret_why)
{
	return (fault_add(line, opt.seed, ret_why));
}

static int
add_credential(const char *line, const char **ret_why)
{
	*ret_why = "not ID:SECRET[:TOKEN]";
	return (creds_add(line));
}

static void
on_fault(struct request *rq, const char *rest)
{
	(void)rest;
	if (strcmp(rq->method, "GET") == 0) {
		show(rq, "text/plain", fault_show);
	} else if (strcmp(rq->method, "DELETE") == 0) {
		fault_clear();
		say(rq, 200, "ok");
	} else {
		each_line(rq, add_fault);
	}
}

static void
on_credential(struct request *rq, const char *rest)
{
	const char *id = request_param(rq, "id");

	(void)rest;
	if (strcmp(rq->method, "DELETE") != 0)
		each_line(rq, add_credential);
	else if (id == NULL || creds_remove(id) < 0)
		say(rq, 404, "no such id");
	else
		say(rq, 200, "ok");
}

static void
on_latency(struct request *rq, const char *rest)
{
	const char *ms = request_param(rq, "ms"), *jitter = request_param(rq, "jitter");

	(void)rest;
	if (ms != NULL)
		settings.latency_us = (uint64_t)(atof(ms) * 1000);
	if (jitter != NULL)
		settings.jitter_us = (uint64_t)(atof(jitter) * 1000);
	say(rq, ms || jitter ? 200 : 400, ms || jitter ? "ok" : "?ms= or ?jitter= is missing");
}

static void
on_bandwidth(struct request *rq, const char *rest)
{
	const char *up = request_param(rq, "up"), *down = request_param(rq, "down");
	uint64_t up_rate = settings.up.rate, down_rate = settings.down.rate;

	(void)rest;
	if ((up == NULL && down == NULL) || (up != NULL && options_rate(up, &up_rate) < 0) ||
	    (down != NULL && options_rate(down, &down_rate) < 0)) {
		say(rq, 400, "?up=BYTES and ?down=BYTES per second, 0 for no limit");
		return;
	}
	settings.up.rate = up_rate;
	settings.down.rate = down_rate;
	settings.up.next_us = settings.down.next_us = 0;
	say(rq, 200, "ok");
}

static void
on_stats(struct request *rq, const char *rest)
{
	(void)rest;
	if (strcmp(rq->method, "DELETE") == 0) {
		stats_reset();
		say(rq, 200, "ok");
	} else {
		show(rq, "application/json", stats_show);
	}
}

static void
on_log(struct request *rq, const char *rest)
{
	const char *since = request_param(rq, "since");
	struct text t = TEXT_EMPTY;

	(void)rest;
	reqlog_show(&t, since ? strtoull(since, NULL, 10) : 0);
	reply_text(rq, 200, "text/plain", &t);
}

static void
on_aws(struct request *rq, const char *rest)
{
	(void)rest;
	if (strcmp(rq->method, "GET") == 0)
		show(rq, "text/plain", aws_show);
	else if (aws_set(rq) < 0)
		say(rq, 400, "imds= is both, 1, 2 or hop");
	else
		say(rq, 200, "ok");
}

/* BUCKET or BUCKET/KEY, escaped; NULL and a reply if there is no such bucket. */
static struct bucket *
target(struct request *rq, const char *rest)
{
	size_t len = strcspn(rest, "/");
	struct bucket *b;

	free(rq->bucket);
	free(rq->key);
	rq->bucket = rq->key = NULL;
	if (uri_decode(rest, len, false, &rq->bucket) < 0 ||
	    (b = store_bucket(rq->bucket)) == NULL) {
		say(rq, 404, "no such bucket");
		return (NULL);
	}
	if (rest[len] == '/' && rest[len + 1] != '\0' &&
	    uri_decode(rest + len + 1, strlen(rest + len + 1), false, &rq->key) < 0) {
		say(rq, 400, "bad escape");
		return (NULL);
	}
	return (b);
}

static void
get_object(struct request *rq, struct bucket *b)
{
	struct object *o = store_get(b, rq->key);
	struct body *body = o ? object_body(o) : NULL;

	if (body == NULL) {
		say(rq, 404, "no such key");
	} else {
		reply_body(rq, 200, body, 0, body->len);
		s3_object_headers(rq, o);
	}
	object_unref(o);
}

static void
on_object(struct request *rq, const char *rest)
{
	struct bucket *b = target(rq, rest);
	int r = 0;

	if (b == NULL)
		return;
	if (rq->key == NULL) {
		say(rq, 400, "object/BUCKET/KEY");
		return;
	}
	if (strcmp(rq->method, "PUT") == 0)
		r = store_put(b, rq->key, s3_object_received(rq), NULL, fault_want_stale());
	else if (strcmp(rq->method, "DELETE") == 0)
		r = store_delete(b, rq->key, NULL);
	else
		return (get_object(rq, b));
	if (r < 0)
		reply_errno(rq, r);
	else
		say(rq, 200, "ok");
}

static void
on_keys(struct request *rq, const char *rest)
{
	struct bucket *b = target(rq, rest);
	const char *prefix = request_param(rq, "prefix");
	struct text t = TEXT_EMPTY;
	char *key, *next;

	if (b == NULL)
		return;
	prefix = prefix ? prefix : "";
	for (key = store_next(b, prefix, true); key && strncmp(key, prefix, strlen(prefix)) == 0;
	     key = next) {
		text_printf(&t, "%s\n", key);
		next = store_next(b, key, false);
		free(key);
	}
	free(key);
	reply_text(rq, 200, "text/plain", &t);
}

void
admin_execute(struct request *rq)
{
	static const struct {
		const char *name;
		void (*fn)(struct request *, const char *rest);
	} command[] = {{"fault", on_fault}, {"latency", on_latency}, {"bandwidth", on_bandwidth},
	    {"stats", on_stats}, {"log", on_log}, {"object/", on_object}, {"keys/", on_keys},
	    {"credential", on_credential}, {"aws", on_aws}};
	const char *path = rq->raw_path + strlen("/_s3testd/");

	for (size_t i = 0; i < sizeof(command) / sizeof(command[0]); i++) {
		size_t len = strlen(command[i].name);

		if (strncmp(path, command[i].name, len) == 0 &&
		    (path[len] == '\0' || command[i].name[len - 1] == '/')) {
			command[i].fn(rq, path + len);
			return;
		}
	}
	say(rq, 404,
	    "fault latency bandwidth stats log object/BUCKET/KEY keys/BUCKET credential aws");
}
