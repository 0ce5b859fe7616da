/* SPDX-License-Identifier: ISC */
/*
 * tool_probe_rate.c -- how fast: as many requests at once as were asked for, for a second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "common/blockmath.h"
#include "common/timeutil.h"
#include "uploader/tool_probe.h"

#include "uploader/guard.h"

#define MEMORY	   (64u << 20)
#define RATE_US	   US_PER_S
#define RATE_BYTES (UINT64_C(256) << 20)

static void launch(struct flight *);

static void
landed(struct store_op *op)
{
	struct flight *f = op->arg;
	struct tool_probe *p = f->t->probe;

	payload_free(&f->payload);
	p->flying--;
	if (op->reply.fail != FAIL_NONE) {
		(void)strlcpy(p->why,
		    op->reply.fail == FAIL_ABSENT ? "an object that was just written is not there"
						  : op->reply.why,
		    sizeof(p->why));
	} else {
		p->bytes += p->size;
		if (now_us() < p->until && p->bytes < RATE_BYTES && p->why[0] == '\0') {
			launch(f);
			return;
		}
	}
	f->t->finished = p->flying == 0;
}

static void
on_ready(struct payload *pl)
{
	struct flight *f = pl->arg;

	store_submit(f->t->probe->store, &f->op);
}

static void
launch(struct flight *f)
{
	struct tool_probe *p = f->t->probe;
	uint32_t block = 1 + (uint32_t)(f - p->flight);

	p->flying++;
	memset(&f->op, 0, sizeof(f->op));
	f->op.block = block;
	f->op.done = landed;
	f->op.arg = f;
	if (p->put) {
		p->written = (uint32_t)max_u64(p->written, block);
		f->op.kind = STORE_PUT;
		f->op.payload = &f->payload;
		probe_payload_of(f->t, &f->payload, block, p->data, p->size);
		f->payload.ready = on_ready;
		f->payload.arg = f;
		payload_make(f->t->jobs, &f->payload);
	} else {
		f->op.kind = STORE_GET;
		f->op.len = p->size;
		f->op.io = (struct slot_io){.fd = PROBE_ANY_FD, .mem = f->mem, .size = p->size};
		store_submit(p->store, &f->op);
	}
}

void
tool_probe_rate(struct tool *t, bool is_put, uint32_t size, unsigned at_once)
{
	struct tool_probe *p = t->probe;
	uint64_t began;

	if (p == NULL || size == 0 || size > p->data_len || at_once == 0 ||
	    at_once > PROBE_AT_ONCE || (uint64_t)size * at_once > MEMORY) {
		probe_say_why(t, NULL, -EINVAL);
		return;
	}
	if (!probe_usable(t, size))
		return;
	for (unsigned i = 0; i < at_once; i++) {
		p->flight[i].t = t;
		free(p->flight[i].mem);
		if ((p->flight[i].mem = is_put ? NULL : malloc(size)) == NULL && !is_put) {
			probe_say_why(t, NULL, -ENOMEM);
			return;
		}
	}
	p->put = is_put;
	p->size = size;
	p->bytes = 0;
	p->why[0] = '\0';
	t->finished = false;
	began = now_us();
	p->until = began + RATE_US;
	for (unsigned i = 0; i < at_once; i++)
		launch(&p->flight[i]);
	tool_wait(t, TIME_NEVER);
	if (p->why[0] != '\0') {
		probe_say_why(t, p->why, -EIO);
		return;
	}
	tool_begin(t, "ok");
	tool_add_number(t, "bytes", p->bytes);
	tool_add_number(t, "us", now_us() - began);
}
