/* SPDX-License-Identifier: ISC */
/*
 * tool_look.c -- `detect`: what the bucket says about the configuration, before anything is written.
 *
 * One question, so that a start costs one round trip: block 0 (its sizes and layers; all of it where
 * there is a password to be proved), a page of names, and the mount token are asked for at once.  Only
 * what these leave open is asked for afterwards: another block where block 0 does not exist, more
 * names, or the whole bucket where there is nothing under the prefix.
 *
 * With `known`, said by who has a cache file, which names its disk, names are asked for only if block 0
 * does not exist.
 *
 * Who has the disk comes before what is wrong with the configuration, so both are in the answer:
 *	present= ...	the fields of token-get; absent if that could not be asked
 *	problem=	one line: the disk must not be started like this
 *	note=		one line: it may
 *	keylength=	the signatures fit with this keyLength, and none was given
 *	key=		AES-256-GCM: the key object, which the password opens
 *	newkey=1	there is none, and no block either: key-make
 * s3backerd tells them in this order (supervisor/disk.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "common/conf.h"
#include "common/timeutil.h"
#include "uploader/codec.h"
#include "uploader/codec_gcm.h"
#include "uploader/look.h"
#include "uploader/tool.h"

#include "uploader/guard.h"

#define EMPTY_PAGES 4
#define PROOFS	    3 /* a wrong password is one that fits no object; one object may be damaged */

struct detect {
	struct tool *t;
	const struct conf *conf;
	struct store_op block, list, token, key;
	struct look look;
	char encoding[64]; /* of a block that exists */
	char problem[512], note[512];
	unsigned key_len;
	char key_text[GCM_KEY_TEXT];
	bool used, new_key; /* there are blocks; there is no key object */
};

/* ---- names ---------------------------------------------------------------------------------- */
static void
list_op(struct store_op *op, struct look *look, bool whole_bucket)
{
	memset(op, 0, sizeof(*op));
	op->kind = STORE_LIST;
	op->last = UINT32_MAX - 1;
	op->look = look;
	op->whole_bucket = whole_bucket;
}

static bool
perform(struct detect *d, struct store_op *op)
{
	struct tool_call c = {.op = op};

	tool_perform_all(d->t, &c, 1);
	return (c.error == 0 && op->reply.fail == FAIL_NONE);
}

/* Further pages, as long as no block was among the names.  Is all of it known? */
static bool
read_on(struct detect *d)
{
	unsigned pages = 1;

	while (d->list.reply.fail == FAIL_NONE && d->list.reply.more && d->look.ours == 0 &&
	       pages++ < EMPTY_PAGES)
		if (!perform(d, &d->list))
			return (false);
	return (d->list.reply.fail == FAIL_NONE && !d->list.reply.more);
}

/* Nothing of ours is there: is it somewhere else? */
static void
look_around(struct detect *d)
{
	const struct look *l = &d->look;
	struct store_op op;
	struct look all = {0};

	if (l->flipped > 0) {
		(void)snprintf(d->problem, sizeof(d->problem),
		    d->conf->block_hash_prefix
			? "the bucket holds plain names: remove blockHashPrefix"
			: "the bucket holds hashed names: add blockHashPrefix = yes");
		return;
	}
	if (!l->elsewhere && *d->conf->prefix_full != '\0' && !d->conf->store_is_dir) {
		list_op(&op, &all, true);
		(void)perform(d, &op);
		l = &all;
	}
	if (l->elsewhere)
		(void)snprintf(d->note, sizeof(d->note),
		    "there is no block under the prefix \"%.200s\", but there is a disk under "
		    "\"%.200s\"%s",
		    d->conf->prefix_full, l->prefix,
		    l->elsewhere_hashed ? " with blockHashPrefix" : "");
}

/* ---- layers --------------------------------------------------------------------------------- */
/* The word after "encrypt-", or NULL. */
static const char *
cipher_of(const char *encoding, char buf[64])
{
	const char *p = strcasestr(encoding, "encrypt-");

	if (p == NULL)
		return (NULL);
	p += strlen("encrypt-");
	(void)snprintf(buf, 64, "%.*s", (int)strcspn(p, ", \t"), p);
	return (buf);
}

static void
complain(struct detect *d, uint32_t block, const char *why)
{
	const struct conf *conf = d->conf;
	char buf[64];
	const char *cipher = cipher_of(d->encoding, buf);
	size_t n = sizeof(d->problem);

	if (cipher != NULL && conf->cipher == NULL)
		(void)snprintf(d->problem, n,
		    "the bucket holds encrypted blocks: encrypt = %s and its password are needed",
		    cipher);
	else if (cipher != NULL && strcasecmp(cipher, conf->cipher) != 0)
		(void)snprintf(d->problem, n,
		    "encrypt = %s, but the bucket holds blocks of another cipher: encrypt = %s",
		    conf->cipher, cipher);
	else if (cipher == NULL && conf->cipher != NULL)
		(void)snprintf(d->problem, n,
		    "encrypt is set, but the bucket holds blocks that are not encrypted: remove "
		    "encrypt");
	else
		(void)snprintf(d->problem, n, "the object of block %u cannot be read: %s%s%s",
		    block, why, *d->encoding != '\0' ? ": Content-Encoding=" : "", d->encoding);
}

static bool
has_layer(const char *encoding, const char *name)
{
	return (strcasestr(encoding, name) != NULL);
}

/* Compressed blocks are read whatever is configured; what is new would not be compressed. */
static void
note_compression(struct detect *d)
{
	const char *name = has_layer(d->encoding, "zstd")      ? "zstd"
			   : has_layer(d->encoding, "deflate") ? "deflate"
							       : NULL;

	if (name != NULL && codec_is_plain(d->t->codec) && !d->conf->read_only)
		(void)snprintf(d->note, sizeof(d->note),
		    "the bucket holds compressed blocks, new ones will not be: compress = %s goes "
		    "on "
		    "compressing",
		    name);
}

/* ---- the password --------------------------------------------------------------------------- */
/* A block that exists: the i-th to look at.  After the last one the first again. */
static uint32_t
candidate(const struct detect *d, unsigned i)
{
	bool zero = d->block.reply.fail == FAIL_NONE;
	unsigned n = 0, known = d->look.ours < LOOK_SOME ? d->look.ours : LOOK_SOME;
	uint32_t all[LOOK_SOME + 1] = {0};

	if (zero)
		all[n++] = 0;
	for (unsigned k = 0; k < known; k++)
		if (!zero || d->look.some[k] != 0)
			all[n++] = d->look.some[k];
	return (n > 0 ? all[i % n] : 0);
}

/* op has the object.  0: it is ours; else -errno, and whether it is the password. */
static int
prove(struct detect *d, struct store_op *op, const char **ret_why)
{
	const struct store_reply *r = &op->reply;
	int error;

	(void)strlcpy(d->encoding,
	    r->encoding[0] != '\0' ? r->encoding : codec_default_encoding(d->t->codec),
	    sizeof(d->encoding));
	error = codec_prove(d->t->codec, op->block, d->encoding, r->hmac, op->data, op->data_len,
	    &d->key_len, ret_why);
	free(op->data);
	op->data = NULL;
	return (error);
}

static void
check_blocks(struct detect *d)
{
	const char *why = "";
	int error = 0;

	for (unsigned i = 0; i < PROOFS; i++) {
		struct store_op *op = &d->block,
				next = {.kind = d->block.kind, .want_body_codes = true};

		if (i > 0 || op->reply.fail != FAIL_NONE) {
			next.block = candidate(d, i);
			op = &next;
			if (!perform(d, op))
				continue; /* deleted meanwhile, or out of reach: no proof */
		}
		if ((error = prove(d, op, &why)) == 0)
			break;
		if (error == -EBADMSG) {
			complain(d, op->block, why);
			return;
		}
	}
	if (error == -EKEYREJECTED)
		(void)snprintf(d->problem, sizeof(d->problem),
		    "the password is wrong: the blocks in the bucket were encrypted with another "
		    "one (or with another bucket or prefix: these belong to the key)");
	else if (error == 0 && d->key_len != 0 && d->conf->key_length != 0)
		(void)snprintf(d->problem, sizeof(d->problem),
		    "keyLength = %u is not that of this disk: keyLength = %u", d->conf->key_length,
		    d->key_len);
	else if (error == 0)
		note_compression(d);
}

/* ---- AES-256-GCM ----------------------------------------------------------------------------- */
/* After the blocks: what they say about the configuration is said first. */
static void
check_key(struct detect *d, int error, bool all_known)
{
	const struct conf *conf = d->conf;
	struct gcm *g = NULL;
	const char *text = d->key.reply.body;

	if (d->problem[0] != '\0')
		return;
	if (error < 0) {
		(void)snprintf(d->problem, sizeof(d->problem), "key object: %s", d->key.reply.why);
		return;
	}
	if (d->key.reply.fail == FAIL_NONE) {
		error = gcm_open(text, conf->password, &g);
		gcm_free(&g);
		if (error < 0)
			(void)snprintf(d->problem, sizeof(d->problem), "%s", tool_key_why(error));
		else
			(void)strlcpy(d->key_text, text, sizeof(d->key_text));
		return;
	}
	d->new_key = conf->key_object != NULL || (!d->used && all_known);
	if (!d->new_key)
		(void)snprintf(d->problem, sizeof(d->problem),
		    d->used ? "the key object %s%s is missing, and without it nothing can be read "
			      "(keyObject, from a copy of it)"
			    : "there is no key object %s%s, and whether there are blocks cannot be "
			      "seen",
		    conf->prefix_full, NAME_KEY);
}

/* ---- the answer ----------------------------------------------------------------------------- */
static void
add_found(struct detect *d, bool all_known)
{
	struct tool *t = d->t;
	const struct store_reply *r = &d->block.reply;
	bool found = r->fail == FAIL_NONE && r->block_size != 0 && r->file_size != 0;
	size_t n;

	tool_add_number(t, "found", found);
	tool_add_number(t, "size", found ? r->file_size : 0);
	tool_add_number(t, "blocksize", found ? r->block_size : 0);
	if (!found && (d->look.ours > 0 || r->fail == FAIL_NONE || all_known))
		tool_add(t, "empty", d->look.ours > 0 || r->fail == FAIL_NONE ? "0" : "1");
	n = strlcat(t->answer, " ", sizeof(t->answer));
	t->store->backend->found(t->store, t->answer + n, sizeof(t->answer) - n);
	if (t->answer[n] == '\0')
		t->answer[n - 1] = '\0';
}

void
tool_detect(struct tool *t, bool known)
{
	struct detect d = {.t = t, .conf = t->env->conf};
	struct tool_call calls[] = {
	    {.op = &d.block}, {.op = &d.token}, {.op = &d.list}, {.op = &d.key}};
	uint64_t asked_us = now_us();
	bool all_known;

	known = known && d.conf->cipher == NULL;

	/* What proves the password there is in the key object. */
	d.block.kind = d.conf->cipher != NULL && !d.conf->gcm && !d.conf->store_is_dir ? STORE_PEEK
										       : STORE_STAT;
	d.block.want_body_codes = true;
	list_op(&d.list, &d.look, false);
	d.token.kind = STORE_TOKEN_GET;
	tool_key_op(&d.key);
	tool_perform_all(t, calls, d.conf->gcm ? 4 : known ? 2 : 3);
	if (calls[0].error < 0) {
		t->op.reply = d.block.reply;
		tool_failed(t, calls[0].error);
		return;
	}
	if (known && d.block.reply.fail != FAIL_NONE)
		(void)perform(&d, &d.list);
	all_known = read_on(&d);
	d.used = d.block.reply.fail == FAIL_NONE || d.look.ours > 0;
	if (d.used)
		check_blocks(&d);
	else
		look_around(&d);
	if (d.conf->gcm)
		check_key(&d, calls[3].error, all_known);
	tool_begin(t, "ok");
	add_found(&d, all_known);
	if (calls[1].error == 0)
		tool_token_add(t, &d.token.reply, asked_us);
	if (d.problem[0] != '\0')
		tool_add(t, "problem", d.problem);
	if (d.note[0] != '\0')
		tool_add(t, "note", d.note);
	if (d.key_len != 0 && d.conf->key_length == 0)
		tool_add_number(t, "keylength", d.key_len);
	if (d.key_text[0] != '\0')
		tool_add(t, "key", d.key_text);
	if (d.new_key)
		tool_add(t, "newkey", "1");
	free(d.block.data);
}
