/* SPDX-License-Identifier: ISC */
/*
 * tool_token.c -- the mount token, asked for, taken, replaced and dropped; see tool.c.
 *
 * Format: BUCKET-FORMAT.md section 6.2.  The body begins with host and time, as the old program has
 * it; what follows are lines that it does not look at.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/timeutil.h"
#include "uploader/tool.h"

#include "uploader/guard.h"

#define LOOK_GOOD_US (2 * US_PER_S)
#define TOKEN_OLD    1 /* what an object without the header stands for: format 6.2 */

/* The token's value as others see it; an object without the header is one of the old kind. */
static uint32_t
token_of(const struct store_reply *r)
{
	return (r->has_token && r->token != 0 ? r->token : TOKEN_OLD);
}

/* Body of a token: host, time, then "key: value" lines that the old program does not look at. */
static void
add_token(struct tool *t, const struct store_reply *r)
{
	static const char *const keys[] = {"boot", "pid", "instance"};
	char hex[9], body[STORE_BODY_MAX], *rest = body, *line;

	(void)snprintf(hex, sizeof(hex), "%08x", token_of(r));
	tool_add(t, "token", hex);
	tool_add(t, "etag", r->etag);
	(void)strlcpy(body, r->body, sizeof(body));
	line = strsep(&rest, "\n");
	tool_add(t, "host", line != NULL ? line : "");
	line = strsep(&rest, "\n");
	tool_add(t, "since", line != NULL ? line : "");
	while ((line = strsep(&rest, "\n")) != NULL) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			size_t n = strlen(keys[i]);

			if (strncmp(line, keys[i], n) == 0 && strncmp(line + n, ": ", 2) == 0)
				tool_add(t, keys[i], line + n + 2);
		}
	}
}

static int
token_get(struct tool *t)
{
	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = STORE_TOKEN_GET;
	return (tool_perform(t));
}

static int
token_put(
    struct tool *t, uint32_t token, const char *body, enum store_condition c, const char *match)
{
	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = STORE_TOKEN_PUT;
	t->op.token = token;
	t->op.body = body;
	t->op.condition = c;
	t->op.match = match;
	return (tool_perform(t));
}

void
tool_token_add(struct tool *t, const struct store_reply *r, uint64_t asked_us)
{
	t->absent_us = r->fail == FAIL_ABSENT ? asked_us : 0;
	tool_add(t, "present", r->fail == FAIL_NONE ? "1" : "0");
	if (r->fail == FAIL_NONE)
		add_token(t, r);
}

void
tool_token_get(struct tool *t)
{
	uint64_t asked_us = now_us();
	int error;

	if ((error = token_get(t)) < 0) {
		tool_failed(t, error);
		return;
	}
	tool_begin(t, "ok");
	tool_token_add(t, &t->op.reply, asked_us);
}

static void
taken(struct tool *t, const char *fence)
{
	tool_begin(t, "ok");
	tool_add(t, "fence", fence);
	tool_add(t, "etag", t->op.reply.etag);
}

static void
held(struct tool *t)
{
	tool_begin(t, "held");
	add_token(t, &t->op.reply);
}

/* Is what lies there ours after all?  A PUT whose answer was lost may have won. */
static void
look_again(struct tool *t, uint32_t token, const char *fence)
{
	int error;

	if ((error = token_get(t)) < 0)
		tool_failed(t, error);
	else if (t->op.reply.fail == FAIL_NONE && token_of(&t->op.reply) == token)
		taken(t, fence);
	else if (t->op.reply.fail == FAIL_NONE)
		held(t);
	else
		tool_failed(t, -EAGAIN); /* it went away under our hands */
}

/*
 * Does the store honour conditions?  The token is there, so "create if absent" must be refused; where
 * it is not, it writes what is there already.
 */
static const char *
probe_fence(struct tool *t, uint32_t token, const char *body)
{
	char etag[80];
	int error;

	(void)strlcpy(etag, t->op.reply.etag, sizeof(etag));
	error = token_put(t, token, body, STORE_IF_ABSENT, NULL);
	if (error != 0 || t->op.reply.fail != FAIL_CONDITION)
		return ("weak");
	(void)strlcpy(t->op.reply.etag, etag, sizeof(t->op.reply.etag));
	return ("strong");
}

/*
 * "Create if absent" twice at the same time: where conditions hold, exactly one of the two succeeds, or none
 * if somebody else was faster, and a round trip is saved.  True: answered.  False: t->op.reply is what one
 * of them alone would have got; if both have written, *ret_both, nobody knows who was last.
 */
static bool
take_twice(struct tool *t, uint32_t token, const char *body, bool *ret_both, int *ret_error)
{
	struct store_op op[2];
	struct tool_call call[2] = {{.op = &op[0]}, {.op = &op[1]}};
	unsigned written = 0, refused = 0, w = 0, r = 0;

	memset(op, 0, sizeof(op));
	for (unsigned i = 0; i < 2; i++) {
		op[i].kind = STORE_TOKEN_PUT;
		op[i].token = token;
		op[i].body = body;
		op[i].condition = STORE_IF_ABSENT;
	}
	tool_perform_all(t, call, 2);
	for (unsigned i = 0; i < 2; i++) {
		if (call[i].error == 0 && op[i].reply.fail == FAIL_NONE) {
			written++;
			w = i;
		} else if (call[i].error == 0 && op[i].reply.fail == FAIL_CONDITION) {
			refused++;
			r = i;
		}
	}
	/* A refusal: it is there, and whose it is, is to be seen. */
	w = written > 0 ? w : r;
	t->op.reply = op[w].reply;
	*ret_error = call[w].error;
	*ret_both = written == 2;
	if (written != 1 || refused != 1)
		return (false);
	taken(t, "strong");
	return (true);
}

/*
 * Look first: a store that does not know If-None-Match would overwrite another's token; s3backerd has
 * just had us look as a rule.  Then create it if absent, and see what that is worth:
 *	strong	of two machines that start at once exactly one gets the disk
 *	weak	the store ignores conditions; looking and writing are two steps, both may win
 */
void
tool_token_take(struct tool *t, uint32_t token, const char *body)
{
	const struct conf *conf = t->env->conf;
	bool probe = conf->fence != CONF_FENCE_OFF, twice = probe && !conf->store_is_dir;
	bool both = false;
	const char *fence;
	int error;

	if (t->absent_us == 0 || now_us() - t->absent_us > LOOK_GOOD_US) {
		if ((error = token_get(t)) < 0) {
			tool_failed(t, error);
			return;
		}
		if (t->op.reply.fail == FAIL_NONE) {
			held(t);
			return;
		}
	}
	t->absent_us = 0;
	if (twice && take_twice(t, token, body, &both, &error))
		return;
	if (!twice)
		error = token_put(t, token, body, probe ? STORE_IF_ABSENT : STORE_ALWAYS, NULL);
	if (error == 0 && t->op.reply.fail == FAIL_UNSUPPORTED) {
		error = token_put(t, token, body, STORE_ALWAYS, NULL);
		probe = false;
		if (error == 0 && t->op.reply.fail == FAIL_NONE) {
			look_again(t, token, "weak");
			return;
		}
	}
	if (error < 0 || t->op.reply.fail == FAIL_UNSUPPORTED) {
		tool_failed(t, error < 0 ? error : -EOPNOTSUPP);
		return;
	}
	if (t->op.reply.fail == FAIL_CONDITION) {
		look_again(t, token, "strong");
		return;
	}
	if (!probe) {
		taken(t, "none");
		return;
	}
	fence = probe_fence(t, token, body);
	if (strcmp(fence, "strong") == 0 && !both)
		taken(t, fence);
	else
		look_again(t, token, fence);
}

/* Ceph RGW compares If-Match of a PUT without its quotes: when the ETag is right, say it so, too. */
static int
put_if_match(struct tool *t, uint32_t token, const char *body, const char *etag)
{
	char bare[80];
	size_t n;
	int error;

	error = token_put(t, token, body, STORE_IF_MATCH, etag);
	if (error < 0 || t->op.reply.fail != FAIL_CONDITION)
		return (error);
	if ((error = token_get(t)) < 0)
		return (error);
	if (t->op.reply.fail != FAIL_NONE || strcmp(t->op.reply.etag, etag) != 0)
		return (-EEXIST); /* it really is another's */
	n = strlcpy(bare, etag + (*etag == '"'), sizeof(bare));
	if (n > 0 && bare[n - 1] == '"')
		bare[n - 1] = '\0';
	return (token_put(t, token, body, STORE_IF_MATCH, bare));
}

void
tool_token_replace(struct tool *t, uint32_t token, const char *body, const char *etag)
{
	bool probe = *etag != '\0' && t->env->conf->fence != CONF_FENCE_OFF;
	enum fail f;
	int error;

	error = probe ? put_if_match(t, token, body, etag)
		      : token_put(t, token, body, STORE_ALWAYS, NULL);
	if (error == 0 && t->op.reply.fail == FAIL_UNSUPPORTED)
		error = token_put(t, token, body, STORE_ALWAYS, NULL);
	f = t->op.reply.fail;
	if (error == 0 && f == FAIL_NONE)
		taken(t, probe ? probe_fence(t, token, body) : "none");
	else if (error == -EEXIST || (error == 0 && f == FAIL_CONDITION))
		look_again(t, token, "strong");
	else if (error == 0 && f == FAIL_ABSENT)
		tool_token_take(
		    t, token, body); /* If-Match on nothing: it was released meanwhile */
	else
		tool_failed(t, error < 0 ? error : -EOPNOTSUPP);
}

void
tool_token_drop(struct tool *t, uint32_t token)
{
	bool ours;
	int error;

	if ((error = token_get(t)) < 0) {
		tool_failed(t, error);
		return;
	}
	ours = t->op.reply.fail == FAIL_NONE && token_of(&t->op.reply) == token;
	if (ours) {
		memset(&t->op, 0, sizeof(t->op));
		t->op.kind = STORE_TOKEN_DROP;
		if ((error = tool_perform(t)) < 0) {
			tool_failed(t, error);
			return;
		}
	}
	tool_begin(t, "ok");
	tool_add(t, "dropped", ours ? "1" : "0");
}
