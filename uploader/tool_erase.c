/* SPDX-License-Identifier: ISC */
/*
 * tool_erase.c -- the objects of a disk, page by page, out of the bucket; see tool.c.
 *
 * Only names that parse as blocks of this disk are touched, whatever else lies under the prefix.  Each
 * call lists one page and deletes what is on it, so the one who asks can show how far it is, and what
 * was interrupted goes on by being asked again.  Block 0, which carries the sizes of the disk, is left
 * to the end: as long as there is anything, the bucket says what it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "uploader/tool.h"

#include "uploader/guard.h"

struct tool_erase {
	uint32_t *block; /* those of the page */
	size_t n, room;
	int error;
	char after[NAME_SIZE]; /* where the next page begins */
};

static void
note_block(struct store_op *op, uint32_t block, const uint8_t *etag)
{
	struct tool_erase *e = ((struct tool *)op->arg)->erase;

	(void)etag;
	if (e->n == e->room) {
		size_t room = e->room == 0 ? STORE_DELETE_MAX : 2 * e->room;
		uint32_t *grown = reallocarray(e->block, room, sizeof(*grown));

		if (grown == NULL) {
			e->error = -ENOMEM;
			return;
		}
		e->block = grown;
		e->room = room;
	}
	e->block[e->n++] = block;
}

static int
delete_one(struct tool *t, uint32_t block)
{
	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = STORE_DELETE;
	t->op.block = block;
	return (tool_perform(t));
}

static int
delete_some(struct tool *t, const uint32_t *block, unsigned n)
{
	int error;

	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = STORE_DELETE_MANY;
	t->op.blocks = block;
	t->op.nblocks = n;
	if ((error = tool_perform(t)) < 0 || t->op.reply.fail != FAIL_UNSUPPORTED)
		return (error);
	for (unsigned i = 0; i < n; i++)
		if ((error = delete_one(t, block[i])) < 0)
			return (error);
	return (0);
}

/* One page of names, from `after` on, all but block 0. */
static int
list_page(struct tool *t, bool *ret_more)
{
	struct tool_erase *e = t->erase;
	int error;

	e->n = 0;
	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = STORE_LIST;
	t->op.first = 1;
	t->op.last = UINT32_MAX - 1;
	t->op.on_block = note_block;
	(void)strlcpy(t->op.after, e->after, sizeof(t->op.after));
	if ((error = tool_perform(t)) < 0)
		return (error);
	*ret_more = t->op.reply.fail == FAIL_NONE && t->op.reply.more;
	(void)strlcpy(e->after, *ret_more ? t->op.after : "", sizeof(e->after));
	return (e->error);
}

void
tool_erase_page(struct tool *t)
{
	bool more = false;
	int error;

	if (t->erase == NULL && (t->erase = calloc(1, sizeof(*t->erase))) == NULL) {
		tool_failed(t, -ENOMEM);
		return;
	}
	error = list_page(t, &more);
	for (size_t i = 0; error == 0 && i < t->erase->n; i += STORE_DELETE_MAX)
		error = delete_some(
		    t, t->erase->block + i, (unsigned)min_u64(STORE_DELETE_MAX, t->erase->n - i));
	if (error < 0) {
		t->erase->after[0] = '\0'; /* from the beginning: what is gone is not listed */
		tool_failed(t, error);
		return;
	}
	tool_begin(t, "ok");
	tool_add_number(t, "deleted", t->erase->n);
	tool_add_number(t, "more", more);
}

void
tool_erase_first(struct tool *t)
{
	int error = delete_one(t, 0);

	if (error == 0 && t->env->conf->gcm)
		error = tool_key_drop(t);
	if (error < 0)
		tool_failed(t, error);
	else
		tool_begin(t, "ok");
}
