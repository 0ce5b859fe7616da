/* SPDX-License-Identifier: ISC */
/*
 * tool.c -- the store tool: s3backerd asks one thing at a time, before the disk exists and after.
 *
 * Process:  an uploader without a segment; one-shot.  Threads: this one runs the loop until the
 *           answer is there.
 * Protocol: common/role.h.  Values are percent-encoded; errors are one line for the user, which says
 *           what to change.
 * Bounded:  who types `start` waits for it: attempts are short, none begins after TOOL_TRY_US, and
 *           what only the user can heal is said at once.
 * Sizes and what else the bucket says at the start: tool_look.c.  The token and its fence: tool_token.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/confine.h"
#include "common/counters.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "uploader/codec.h"
#include "uploader/cred_reader.h"
#include "uploader/credentials.h"
#include "uploader/jobs.h"
#include "uploader/tool.h"

#include "uploader/guard.h"

#define TOOL_TRY_US	(6 * US_PER_S)
#define TOOL_TIMEOUT_US (4 * US_PER_S)

/* ---- running operations --------------------------------------------------------------------- */
static void
on_done(struct store_op *op)
{
	struct tool *t = op->arg;

	for (unsigned i = 0; i < t->ncalls; i++)
		if (t->calls[i].op == op)
			t->calls[i].finished = true;
}

static void
submit(struct tool *t, struct tool_call *c)
{
	c->op->done = on_done;
	c->op->arg = t; /* callbacks want it, too */
	c->finished = false;
	c->again_us = 0;
	store_submit(t->store, c->op);
}

/* It has ended: well, for good, or is it sent again, and when? */
static void
judge(struct tool *t, struct tool_call *c)
{
	struct retry_policy p = {t->env->conf->initial_retry_pause_us, 0};
	struct store_reply *r = &c->op->reply;
	uint64_t pause;

	c->finished = false;
	if (r->fail == FAIL_NONE || r->fail == FAIL_ABSENT || r->fail == FAIL_CONDITION ||
	    r->fail == FAIL_UNSUPPORTED) {
		c->over = true;
	} else if (r->healed && c->healed++ < 3) {
		submit(t, c);
	} else if (!fail_heals(r->fail) || r->fail == FAIL_CLOCK || r->fail == FAIL_REGION ||
		   r->error == -EADDRNOTAVAIL || r->error == -EKEYREJECTED || r->error == -EPROTO ||
		   !retry_next(&c->retry, &p, r->fail, r->retry_after_us, arc4random(), &pause) ||
		   now_us() - c->began_us + pause > TOOL_TRY_US) {
		/* A name that cannot be resolved, a certificate that is not trusted: no use to wait. */
		c->over = true;
		c->error = fail_errno(r->fail, r->http, r->error);
	} else {
		c->again_us = now_us() + pause;
	}
}

void
tool_perform_all(struct tool *t, struct tool_call *calls, unsigned n)
{
	unsigned left = n;

	t->calls = calls;
	t->ncalls = n;
	for (unsigned i = 0; i < n; i++) {
		struct store_op *op = calls[i].op;

		calls[i] = (struct tool_call){.op = op, .began_us = now_us()};
		submit(t, &calls[i]);
	}
	while (left > 0) {
		uint64_t next = TIME_NEVER;

		for (unsigned i = 0; i < n; i++) {
			struct tool_call *c = &calls[i];

			if (c->finished)
				judge(t, c);
			if (c->again_us != 0 && now_us() >= c->again_us)
				submit(t, c);
			else if (c->again_us != 0)
				next = min_u64(next, c->again_us);
		}
		left = 0;
		for (unsigned i = 0; i < n; i++) {
			left += !calls[i].over;
			if (calls[i].finished)
				next = 0;
		}
		if (left > 0 && next != 0)
			(void)loop_turn(&t->loop, next);
	}
}

void
tool_wait(struct tool *t, uint64_t deadline)
{
	while (!t->finished && now_us() < deadline)
		(void)loop_turn(&t->loop, deadline);
}

int
tool_perform(struct tool *t)
{
	struct tool_call c = {.op = &t->op};

	tool_perform_all(t, &c, 1);
	return (c.error);
}

/* ---- answers -------------------------------------------------------------------------------- */
void
tool_add(struct tool *t, const char *key, const char *value)
{
	char encoded[3 * ARG_MAX_LEN];
	size_t n = strlen(t->answer);

	(void)name_encode(value, false, encoded, sizeof(encoded));
	(void)snprintf(t->answer + n, sizeof(t->answer) - n, " %s=%s", key, encoded);
}

void
tool_add_number(struct tool *t, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	tool_add(t, key, text);
}

void
tool_begin(struct tool *t, const char *word)
{
	(void)strlcpy(t->answer, word, sizeof(t->answer));
}

void
tool_failed(struct tool *t, int error)
{
	const char *why = t->op.reply.why[0] != '\0' ? t->op.reply.why : strerror(-error);

	(void)snprintf(t->answer, sizeof(t->answer), "error %d %s", -error, why);
}

/* ---- commands ------------------------------------------------------------------------------- */
static void
cmd_keys(struct tool *t)
{
	size_t n;

	tool_begin(t, "ok");
	if (t->store->backend->keys == NULL)
		return;
	n = strlcat(t->answer, " ", sizeof(t->answer));
	t->store->backend->keys(t->store, t->answer + n, sizeof(t->answer) - n);
}

/* ---- command lines -------------------------------------------------------------------------- */
static void
decode(const char *from, char *to, size_t size)
{
	size_t n = 0;

	for (; *from != '\0' && n + 1 < size; from++) {
		unsigned c = (unsigned char)*from;

		if (c == '%' && sscanf(from + 1, "%2x", &c) == 1 && from[1] != '\0' &&
		    from[2] != '\0')
			from += 2;
		to[n++] = (char)c;
	}
	to[n] = '\0';
}

static void
command(struct tool *t, char *line)
{
	char token[16] = "", body[ARG_MAX_LEN] = "", etag[128] = "", *rest = line, *word, *name;
	char password[1024] = "";
	uint32_t size = 0, at_once = 1;
	bool put = false, known = false;

	name = strsep(&rest, " \n");
	while ((word = strsep(&rest, " \n")) != NULL) {
		if (strncmp(word, "token=", 6) == 0)
			decode(word + 6, token, sizeof(token));
		else if (strncmp(word, "body=", 5) == 0)
			decode(word + 5, body, sizeof(body));
		else if (strncmp(word, "etag=", 5) == 0)
			decode(word + 5, etag, sizeof(etag));
		else if (strncmp(word, "password=", 9) == 0)
			decode(word + 9, password, sizeof(password));
		else if (strncmp(word, "size=", 5) == 0)
			size = (uint32_t)strtoul(word + 5, NULL, 10);
		else if (strncmp(word, "at-once=", 8) == 0)
			at_once = (uint32_t)strtoul(word + 8, NULL, 10);
		else if (strcmp(word, "dir=put") == 0)
			put = true;
		else if (strcmp(word, "known") == 0)
			known = true;
	}
	t->answer[0] = '\0';
	t->op.reply.why[0] = '\0';
	if (strcmp(name, "detect") == 0)
		tool_detect(t, known);
	else if (strcmp(name, "keys") == 0)
		cmd_keys(t);
	else if (strcmp(name, "sample") == 0)
		tool_sample(t);
	else if (strcmp(name, "key-make") == 0)
		tool_key_make(t);
	else if (strcmp(name, "rekey") == 0)
		tool_rekey(t, password);
	else if (strcmp(name, "token-get") == 0)
		tool_token_get(t);
	else if (strcmp(name, "token-take") == 0)
		tool_token_take(t, (uint32_t)strtoul(token, NULL, 16), body);
	else if (strcmp(name, "token-replace") == 0)
		tool_token_replace(t, (uint32_t)strtoul(token, NULL, 16), body, etag);
	else if (strcmp(name, "token-drop") == 0)
		tool_token_drop(t, (uint32_t)strtoul(token, NULL, 16));
	else if (strcmp(name, "erase-page") == 0)
		tool_erase_page(t);
	else if (strcmp(name, "erase-first") == 0)
		tool_erase_first(t);
	else if (strcmp(name, "probe-begin") == 0)
		tool_probe_begin(t);
	else if (strcmp(name, "probe-features") == 0)
		tool_probe_features(t);
	else if (strcmp(name, "probe-latency") == 0)
		tool_probe_latency(t);
	else if (strcmp(name, "probe-rate") == 0)
		tool_probe_rate(t, put, size, at_once);
	else if (strcmp(name, "probe-end") == 0)
		tool_probe_end(t);
	else
		(void)snprintf(t->answer, sizeof(t->answer), "error %d no such command", EINVAL);
	explicit_bzero(password, sizeof(password));
}

/* ---- open and close ------------------------------------------------------------------------- */
static int
tool_open(struct tool *t, struct role_env *env, char **ret_error)
{
	struct conf *conf = env->conf;
	struct store_env se = {
	    .conf = conf,
	    .loop = &t->loop,
	    .counters = &t->counters,
	    .names = {conf->prefix_full, strlen(conf->prefix_full), conf->block_hash_prefix, 0},
	    .max_transfers = 4,
	    .nprocesses = 1,
	};
	int error;

	t->env = env;
	t->loop.epfd = -1;
	conf->timeout_us = min_u64(conf->timeout_us, TOOL_TIMEOUT_US);
	if (credentials_need_reader(conf) && (error = cred_reader_start(conf, &t->reader)) < 0)
		return (error);
	if ((error = confine_role_why("uploader", conf, NULL, ret_error)) < 0 ||
	    (error = loop_open(&t->loop)) < 0 || (error = jobs_open(1, &t->loop, &t->jobs)) < 0 ||
	    (error = codec_open(conf, &t->codec, ret_error)) < 0)
		return (error);
	se.jobs = t->jobs;
	se.codec = t->codec;
	se.reader = t->reader;
	return (store_open(&se, conf->store_is_dir, &t->store, ret_error));
}

static void
serve(struct tool *t)
{
	static char line[ROLE_PACKET_MAX + 1];
	enum role_packet type = 0;
	unsigned nfds = 0;
	ssize_t n;

	while (!role_stop_requested &&
	       (n = role_recv(t->env->ctl_fd, &type, line, sizeof(line) - 1, NULL, &nfds)) >= 0) {
		line[n] = '\0';
		if (type != ROLE_TEXT)
			continue;
		command(t, line);
		explicit_bzero(line, (size_t)n); /* there may have been a password in it */
		log_trace(TRACE_STORE, "tool: -> %s", t->answer);
		if (role_send(
			t->env->ctl_fd, ROLE_TEXT, t->answer, strlen(t->answer) + 1, NULL, 0) < 0)
			return;
	}
}

int
tool_main(struct role_env *env)
{
	static struct tool tool;
	struct tool *t = &tool;
	char *why = NULL;
	int error;

	if ((error = tool_open(t, env, &why)) < 0)
		role_fail(env, "%s", why != NULL ? why : strerror(-error));
	if (role_ready(env, t->store->backend->name) == 0)
		serve(t);
	tool_probe_end(t); /* whoever asked has gone: nothing stays in the bucket */
	store_close(&t->store);
	jobs_close(&t->jobs);
	codec_close(&t->codec);
	loop_close(&t->loop);
	cred_reader_end(&t->reader);
	return (ROLE_EXIT_DONE);
}
