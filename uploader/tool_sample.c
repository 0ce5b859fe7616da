/* SPDX-License-Identifier: ISC */
/*
 * tool_sample.c -- what the objects of a disk are like, from a few of them; see tool.c.
 *
 * The first page of names that has any is enough to choose from; objects are looked at without being
 * read.  Of encrypted ones not even the password is needed for that.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "uploader/tool.h"

#include "uploader/guard.h"

#define SAMPLES	  16
#define PAGES_MAX 64

struct sample {
	uint32_t block[1024];
	unsigned n;
};

static struct sample found; /* the tool has one thread and answers one question at a time */

static void
on_block(struct store_op *op, uint32_t block, const uint8_t *etag)
{
	(void)op, (void)etag;
	if (found.n < sizeof(found.block) / sizeof(found.block[0]))
		found.block[found.n++] = block;
}

static int
list_some(struct tool *t)
{
	unsigned pages = 0;
	int error;

	memset(&t->op, 0, sizeof(t->op));
	found.n = 0;
	t->op.kind = STORE_LIST;
	t->op.last = UINT32_MAX - 1;
	t->op.on_block = on_block;
	do {
		t->op.reply.more = false;
		if ((error = tool_perform(t)) < 0)
			return (error);
	} while (found.n == 0 && t->op.reply.more && ++pages < PAGES_MAX);
	return (0);
}

static void
add_u64(struct tool *t, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	tool_add(t, key, text);
}

void
tool_sample(struct tool *t)
{
	char encoding[64] = "";
	uint64_t bytes = 0, whole = 0;
	unsigned looked = 0;
	bool mixed = false;
	int error;

	if ((error = list_some(t)) < 0) {
		tool_failed(t, error);
		return;
	}
	for (unsigned i = 0; i < SAMPLES && i < found.n; i++) {
		const struct store_reply *r = &t->op.reply;

		memset(&t->op, 0, sizeof(t->op));
		t->op.kind = STORE_STAT;
		t->op.block = found.block[(uint64_t)i * found.n / SAMPLES % found.n];
		if (found.n <= SAMPLES)
			t->op.block = found.block[i];
		if ((error = tool_perform(t)) < 0) {
			tool_failed(t, error);
			return;
		}
		if (r->fail != FAIL_NONE)
			continue;
		mixed = mixed || (looked > 0 && strcmp(encoding, r->encoding) != 0);
		/* Blocks that do not shrink are stored without compression. */
		if (strlen(r->encoding) > strlen(encoding))
			(void)strlcpy(encoding, r->encoding, sizeof(encoding));
		bytes += r->length;
		whole = r->length > whole ? r->length : whole;
		looked++;
	}
	tool_begin(t, "ok");
	add_u64(t, "looked", looked);
	add_u64(t, "bytes", bytes);
	add_u64(t, "largest", whole);
	tool_add(t, "mixed", mixed ? "1" : "0");
	tool_add(t, "encoding", encoding);
}
