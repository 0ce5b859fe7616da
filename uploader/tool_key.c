/* SPDX-License-Identifier: ISC */
/*
 * tool_key.c -- the key object of AES-256-GCM: read, made, wrapped under another password; see tool.c and
 * s3backer-gcm(5).
 *
 * A key object is only ever replaced in one PUT, with If-Match, so after a crash it is either the old one
 * or the new one.  What a lost answer leaves open is settled by reading it again.  The data key stays, so
 * uploaders that run know all they need.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "uploader/codec_gcm.h"
#include "uploader/tool.h"

#include "uploader/guard.h"

static int
key_get(struct tool *t)
{
	tool_key_op(&t->op);
	return (tool_perform(t));
}

static int
key_put(struct tool *t, const char *text, enum store_condition c, const char *match)
{
	tool_key_op(&t->op);
	t->op.kind = STORE_TOKEN_PUT;
	t->op.body = text;
	t->op.condition = c;
	t->op.match = match;
	return (tool_perform(t));
}

void
tool_key_op(struct store_op *op)
{
	memset(op, 0, sizeof(*op));
	op->kind = STORE_TOKEN_GET;
	op->key_object = true;
}

const char *
tool_key_why(int error)
{
	return (error == -EKEYREJECTED ? "the password is wrong"
		: error == -EBADMSG    ? "the key object " NAME_KEY
				      " in the bucket is damaged, or not one of this program"
		: error == -EOVERFLOW ? "the key object " NAME_KEY
					" asks for more memory or time than is sane"
				      : strerror(-error));
}

static void
say(struct tool *t, int error, const char *why)
{
	(void)strlcpy(t->op.reply.why, why, sizeof(t->op.reply.why));
	tool_failed(t, error);
}

/* Over the one with this ETag.  Ceph RGW compares If-Match of a PUT without its quotes. */
static int
key_replace(struct tool *t, const char *text, const char *etag)
{
	char bare[80];
	int error = key_put(t, text, STORE_IF_MATCH, etag);

	if (error == 0 && t->op.reply.fail == FAIL_UNSUPPORTED)
		return (key_put(t, text, STORE_ALWAYS, NULL));
	if (error < 0 || t->op.reply.fail != FAIL_CONDITION || *etag != '"' || key_get(t) < 0 ||
	    strcmp(t->op.reply.etag, etag) != 0)
		return (error);
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(etag + 1, "\""), etag + 1);
	return (key_put(t, text, STORE_IF_MATCH, bare));
}

/* What is there now, and does it open? */
static int
confirm(struct tool *t, const char *want, const char *password)
{
	struct gcm *g = NULL;
	int error;

	if ((error = key_get(t)) < 0)
		return (error);
	if (t->op.reply.fail != FAIL_NONE || strcmp(t->op.reply.body, want) != 0)
		return (-EAGAIN);
	error = gcm_open(t->op.reply.body, password, &g);
	gcm_free(&g);
	return (error);
}

/* A new disk: a data key of its own.  Another start may have been faster; then that is the one. */
void
tool_key_make(struct tool *t)
{
	const struct conf *conf = t->env->conf;
	char text[GCM_KEY_TEXT];
	struct gcm *g = NULL;
	int error;

	if (conf->key_object != NULL)
		(void)snprintf(text, sizeof(text), "%.*s\n", (int)strcspn(conf->key_object, "\n"),
		    conf->key_object);
	else if ((error = gcm_key_make(conf->password, NULL, text)) < 0) {
		say(t, error, strerror(-error));
		return;
	}
	if (!conf->read_only) {
		error = key_put(t, text, STORE_IF_ABSENT, NULL);
		if (error == 0 && t->op.reply.fail == FAIL_UNSUPPORTED)
			error = key_put(t, text, STORE_ALWAYS, NULL);
		if (error == 0)
			error = key_get(t);
		if (error < 0 || t->op.reply.fail != FAIL_NONE) {
			tool_failed(t, error < 0 ? error : -EAGAIN);
			return;
		}
		(void)strlcpy(text, t->op.reply.body, sizeof(text));
	}
	if ((error = gcm_open(text, conf->password, &g)) < 0) {
		say(t, error, tool_key_why(error));
		return;
	}
	gcm_free(&g);
	tool_begin(t, "ok");
	tool_add(t, "key", text);
}

void
tool_rekey(struct tool *t, const char *password)
{
	const struct conf *conf = t->env->conf;
	char text[GCM_KEY_TEXT], etag[80];
	int error;

	if (!conf->gcm || *password == '\0') {
		say(t, -EINVAL,
		    "rekey needs a disk with encrypt = AES-256-GCM: the keys of the other ciphers "
		    "are made from the password itself");
		return;
	}
	if ((error = key_get(t)) < 0 || t->op.reply.fail != FAIL_NONE) {
		if (error < 0)
			tool_failed(t, error);
		else
			say(t, -ENOENT, "the bucket holds no key object " NAME_KEY);
		return;
	}
	(void)strlcpy(etag, t->op.reply.etag, sizeof(etag));
	error = gcm_key_change(t->op.reply.body, conf->password, password, text);
	if (error < 0) {
		say(t, error, tool_key_why(error));
		return;
	}
	(void)key_replace(t, text, etag);
	/* Whatever was answered: what counts is what is there. */
	if ((error = confirm(t, text, password)) == 0)
		tool_begin(t, "ok");
	else if (error == -EAGAIN)
		say(t, error, "the key object was not replaced: the password is the old one");
	else
		say(t, error, tool_key_why(error));
}

/* With the last block of an erased disk. */
int
tool_key_drop(struct tool *t)
{
	tool_key_op(&t->op);
	t->op.kind = STORE_TOKEN_DROP;
	return (tool_perform(t));
}
