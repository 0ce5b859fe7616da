/* SPDX-License-Identifier: ISC */
/*
 * tool_probe.c -- what this store can do, and how fast: tried with objects of its own; see tool.c.
 *
 *	probe-begin		removes what a probe that died has left: ok
 *	probe-features		ok range= overwrite= list= bulk= absent= if-none-match= if-match=
 *				checksums=taken|refused  (1: it can)
 *	probe-latency		medians of small requests one after the other: ok put= get= delete=
 *				list=  (microseconds)
 *	probe-rate		dir=put|get size= at-once=: ok bytes= us=
 *	probe-end		removes its objects: ok removed=
 *
 * Names: PREFIX + "s3backer-probe-" + block: under the prefix, where the keys have their rights, and
 * never a block of the disk.  Sent as they are, neither compressed nor encrypted; everything else
 * (signing, checksums, storage class, limits) as the configuration has it.  What there is, goes at the
 * end, at the next probe, or when the one who asked goes away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/timeutil.h"
#include "uploader/codec.h"
#include "uploader/tool_probe.h"

#include "uploader/guard.h"

#define SMALL	4096u
#define SAMPLES 9

/* ---- one request ---------------------------------------------------------------------------- */

int
probe_perform(struct tool *t)
{
	struct store *own = t->store;
	int error;

	t->store = t->probe->store;
	error = tool_perform(t);
	t->store = own;
	return (error);
}

void
probe_op_clear(struct tool *t, enum store_kind kind, uint32_t block)
{
	memset(&t->op, 0, sizeof(t->op));
	t->op.kind = kind;
	t->op.block = block;
}

static void
on_summed(struct payload *p)
{
	((struct tool *)p->arg)->finished = true;
}

static unsigned
hashes(const struct tool *t)
{
	return (payload_hashes(t->env->conf) | (t->probe->store->learn_md5 ? PAYLOAD_MD5 : 0));
}

void
probe_payload_of(struct tool *t, struct payload *p, uint32_t block, uint8_t *data, uint32_t len)
{
	memset(p, 0, sizeof(*p));
	p->io = (struct slot_io){.fd = PROBE_ANY_FD, .mem = data, .size = len};
	p->block = block;
	p->codec = t->probe->codec;
	p->want = hashes(t);
}

static int
put(struct tool *t, uint32_t block, uint8_t *data, uint32_t len)
{
	struct payload p;
	int error;

	probe_payload_of(t, &p, block, data, len);
	p.ready = on_summed;
	p.arg = t;
	t->finished = false;
	payload_make(t->jobs, &p);
	tool_wait(t, TIME_NEVER);
	probe_op_clear(t, STORE_PUT, block);
	t->op.payload = &p;
	t->probe->written = (uint32_t)max_u64(t->probe->written, block);
	error = p.error < 0 ? p.error : probe_perform(t);
	payload_free(&p);
	return (error);
}

/* 1: these are the bytes; 0: they are not, or there are none. */
static int
get_is(struct tool *t, uint32_t block, const uint8_t *data, uint32_t off, uint32_t len)
{
	uint8_t mem[SMALL];
	int error;

	memset(mem, 0, sizeof(mem));
	probe_op_clear(t, STORE_GET, block);
	t->op.off = off;
	t->op.len = len;
	t->op.io = (struct slot_io){.fd = PROBE_ANY_FD, .mem = mem, .size = SMALL};
	if ((error = probe_perform(t)) < 0)
		return (error);
	return (t->op.reply.fail == FAIL_NONE && memcmp(mem + off, data + off, len) == 0);
}

static void
count_block(struct store_op *op, uint32_t block, const uint8_t *etag)
{
	(void)block;
	(void)etag;
	op->nblocks++;
}

static int
list(struct tool *t, uint32_t *ret_found)
{
	int error;

	probe_op_clear(t, STORE_LIST, 0);
	t->op.last = UINT32_MAX - 1;
	t->op.on_block = count_block;
	error = probe_perform(t);
	*ret_found = t->op.nblocks;
	return (error);
}

static int
remove_blocks(struct tool *t, uint32_t *block, unsigned n, bool *ret_bulk)
{
	int error;

	probe_op_clear(t, STORE_DELETE_MANY, 0);
	t->op.blocks = block;
	t->op.nblocks = n;
	error = probe_perform(t);
	*ret_bulk = error == 0 && t->op.reply.fail != FAIL_UNSUPPORTED;
	for (unsigned i = 0; error == 0 && !*ret_bulk && i < n; i++) {
		probe_op_clear(t, STORE_DELETE, block[i]);
		error = probe_perform(t);
	}
	return (error);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* Objects have to be as long as the blocks that the store was opened for. */
static int
open_store(struct tool *t, uint32_t block_size, char **ret_error)
{
	struct tool_probe *p = t->probe;
	struct store_env se = {
	    .conf = &p->conf,
	    .loop = &t->loop,
	    .jobs = t->jobs,
	    .codec = p->codec,
	    .reader = t->reader,
	    .counters = &t->counters,
	    .names = {p->prefix, strlen(p->prefix), false, 0},
	    .block_size = block_size,
	    .file_size = block_size,
	    .max_transfers = PROBE_AT_ONCE,
	    .nprocesses = 1,
	};

	if (p->store != NULL && p->block_size == block_size)
		return (0);
	store_close(&p->store);
	p->block_size = block_size;
	return (store_open(&se, p->conf.store_is_dir, &p->store, ret_error));
}

void
probe_say_why(struct tool *t, const char *why, int error)
{
	(void)snprintf(t->answer, sizeof(t->answer), "error %d %s", -error,
	    why != NULL && *why != '\0' ? why : strerror(-error));
}

bool
probe_usable(struct tool *t, uint32_t block_size)
{
	bool anew = t->probe != NULL && t->probe->block_size != block_size;
	char *why = NULL;
	int error;

	if (t->probe == NULL) {
		probe_say_why(t, "probe-begin comes first", -EINVAL);
		return (false);
	}
	error = open_store(t, block_size, &why);
	if (error == 0 && anew) { /* region and clock, before anything is measured */
		probe_op_clear(t, STORE_STAT, 1);
		error = probe_perform(t);
		why = error < 0 ? strdup(t->op.reply.why) : NULL;
	}
	if (error < 0)
		probe_say_why(t, why, error);
	free(why);
	return (error == 0);
}

static int
sweep(struct tool *t, uint32_t *ret_removed)
{
	uint32_t all[PROBE_AT_ONCE + 1], n = 0, found;
	bool bulk;
	int error = list(t, &found);

	*ret_removed = found;
	if (error == 0 && t->probe->token) {
		probe_op_clear(t, STORE_TOKEN_DROP, 0);
		error = probe_perform(t);
		t->probe->token = error < 0;
	}
	if (error < 0 || (found == 0 && t->probe->written == 0))
		return (error);
	for (uint32_t b = 0; b <= PROBE_AT_ONCE; b++)
		all[n++] = b;
	error = remove_blocks(t, all, n, &bulk);
	if (error == 0)
		t->probe->written = 0;
	return (error);
}

void
tool_probe_begin(struct tool *t)
{
	struct tool_probe *p = calloc(1, sizeof(*p));
	uint32_t removed;
	char *why = NULL;
	int error = -ENOMEM;

	if (p == NULL || t->probe != NULL || (p->data = malloc(p->data_len = 4u << 20)) == NULL) {
		free(p);
		probe_say_why(t, NULL, t->probe != NULL ? -EALREADY : -ENOMEM);
		return;
	}
	t->probe = p;
	arc4random_buf(p->data, p->data_len);
	p->conf = *t->env->conf;
	p->conf.compress_alg = 0;
	p->conf.cipher = NULL;
	p->conf.default_content_encoding = NULL;
	(void)snprintf(p->prefix, sizeof(p->prefix), "%s" PROBE_NAME, p->conf.prefix_full);
	p->conf.prefix_full = p->prefix;
	p->token = true; /* of one that died */
	if ((error = codec_open(&p->conf, &p->codec, &why)) == 0 &&
	    (error = open_store(t, SMALL, &why)) == 0)
		error = sweep(t, &removed);
	if (error < 0)
		probe_say_why(t, why != NULL ? why : t->op.reply.why, error);
	else
		tool_begin(t, "ok");
	free(why);
}

void
tool_probe_end(struct tool *t)
{
	struct tool_probe *p = t->probe;
	uint32_t removed = 0;
	int error = 0;

	if (p == NULL)
		return;
	if (p->store != NULL && (error = sweep(t, &removed)) < 0)
		tool_failed(t, error);
	else {
		tool_begin(t, "ok");
		tool_add_number(t, "removed", removed);
	}
	store_close(&p->store);
	codec_close(&p->codec);
	for (unsigned i = 0; i < PROBE_AT_ONCE; i++)
		free(p->flight[i].mem);
	free(p->data);
	free(p);
	t->probe = NULL;
}

/* ---- features ------------------------------------------------------------------------------- */

static int
token_put(struct tool *t, enum store_condition c, const char *match)
{
	probe_op_clear(t, STORE_TOKEN_PUT, 0);
	t->op.token = 1;
	t->op.body = "probe\n";
	t->op.condition = c;
	t->op.match = match;
	t->op.renewal = true; /* nothing is to be swept */
	t->probe->token = true;
	return (probe_perform(t));
}

static void
try_conditions(struct tool *t)
{
	char etag[80] = "";
	bool absent, match;
	int error;

	error = token_put(t, STORE_IF_ABSENT, NULL);
	(void)strlcpy(etag, t->op.reply.etag, sizeof(etag));
	error = error == 0 ? token_put(t, STORE_IF_ABSENT, NULL) : error;
	absent = error == 0 && t->op.reply.fail == FAIL_CONDITION;
	error = token_put(t, STORE_IF_MATCH, "\"00000000000000000000000000000000\"");
	match = error == 0 && t->op.reply.fail == FAIL_CONDITION;
	if (match && etag[0] != '\0')
		match = token_put(t, STORE_IF_MATCH, etag) == 0 && t->op.reply.fail == FAIL_NONE;
	tool_add_number(t, "if-none-match", absent);
	tool_add_number(t, "if-match", match);
}

void
tool_probe_features(struct tool *t)
{
	uint8_t *one, *two;
	uint32_t found = 0, block = 1;
	bool bulk = false;
	size_t n;
	int error, same, range = 0, overwritten = 0, absent = 0;

	if (!probe_usable(t, SMALL))
		return;
	one = t->probe->data;
	two = one + SMALL;
	if ((error = put(t, 1, one, SMALL)) < 0 ||
	    (error = same = get_is(t, 1, one, 0, SMALL)) < 0 ||
	    (error = range = get_is(t, 1, one, 1000, 100)) < 0 ||
	    (error = put(t, 1, two, SMALL)) < 0 ||
	    (error = overwritten = get_is(t, 1, two, 0, SMALL)) < 0 ||
	    (error = list(t, &found)) < 0 || (error = remove_blocks(t, &block, 1, &bulk)) < 0 ||
	    (error = absent = get_is(t, 1, two, 0, SMALL)) < 0) {
		tool_failed(t, error);
		return;
	}
	absent = t->op.reply.fail == FAIL_ABSENT;
	tool_begin(t, "ok");
	tool_add_number(t, "same", (uint64_t)same);
	tool_add_number(t, "range", (uint64_t)range);
	tool_add_number(t, "overwrite", (uint64_t)overwritten);
	tool_add_number(t, "list", found > 0);
	tool_add_number(t, "bulk", bulk);
	tool_add_number(t, "absent", (uint64_t)absent);
	try_conditions(t);
	n = strlcat(t->answer, " ", sizeof(t->answer));
	t->probe->store->backend->found(t->probe->store, t->answer + n, sizeof(t->answer) - n);
}

/* ---- latency -------------------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return ((x > y) - (x < y));
}

void
tool_probe_latency(struct tool *t)
{
	static const char *const name[] = {"put", "get", "delete", "list"};
	uint64_t us[4][SAMPLES];
	uint32_t found;
	int error = 0;

	if (!probe_usable(t, SMALL))
		return;
	for (unsigned i = 0; i < SAMPLES && error >= 0; i++) {
		uint64_t at[5] = {now_us()};

		error = put(t, 1, t->probe->data, SMALL);
		at[1] = now_us();
		error = error < 0 ? error : get_is(t, 1, t->probe->data, 0, SMALL);
		at[2] = now_us();
		probe_op_clear(t, STORE_DELETE, 1);
		error = error < 0 ? error : probe_perform(t);
		at[3] = now_us();
		error = error < 0 ? error : list(t, &found);
		at[4] = now_us();
		for (unsigned k = 0; k < 4; k++)
			us[k][i] = at[k + 1] - at[k];
	}
	if (error < 0) {
		tool_failed(t, error);
		return;
	}
	tool_begin(t, "ok");
	for (unsigned k = 0; k < 4; k++) {
		qsort(us[k], SAMPLES, sizeof(us[k][0]), by_size);
		tool_add_number(t, name[k], us[k][SAMPLES / 2]);
	}
}
