/* SPDX-License-Identifier: ISC */
/*
 * test_sent.c -- how long a dirty block has to be at rest before it is uploaded: one look of the write delay
 * if it is new to that, WRITEBACK_CALM_MOST of them if it comes back soon after its last upload.
 */
#include "tests/unit/cachemgr/sim.h"

#define BLOCK 3u

static void
turn(void)
{
	(void)cachemgr_turn(cm);
	up_take();
	up_answer();
	fe_replies();
}

static void
write_block(void)
{
	struct op *o = &op[0];

	*o = (struct op){.kind = OP_WRITE, .block = BLOCK, .sub = 1, .count = 1, .value = ++serial};
	busy[BLOCK]++;
	while (o->kind != OP_NONE) {
		if (o->step == STEP_WAIT)
			turn();
		fe_step(o);
	}
	(void)cachemgr_turn(cm); /* takes what was said about it */
}

/* The write delay passes without a write, again and again: how often, until the block is wanted? */
static int
looks(void)
{
	struct bop *b = bop_find(cm, BLOCK);
	int n;

	for (n = 0; n < 2 * WRITEBACK_CALM_MOST && b != NULL && b->on_dirty && !b->want_upload;
	     n++) {
		writeback_later(cm, b, 0);
		writeback_run(cm);
		b = bop_find(cm, BLOCK);
	}
	return (n);
}

static void
begin(void)
{
	wrong = 0;
	world_open(11);
	cm->write_delay_us = 0;
	write_block();
	ok(settle(), "a block is in the bucket");
	cm->write_delay_us = 60000000; /* no turn does anything by itself */
	cm->max_dirty_age_us = UINT64_MAX;
}

static void
end(void)
{
	cm->write_delay_us = 0;
	ok(settle(), "comes to rest");
	compare_bucket();
	is_int(wrong, 0, "and the bucket holds what was written");
	sim_close();
}

static void
returns(void)
{
	begin();
	write_block();
	is_int(looks(), WRITEBACK_CALM_MOST, "dirty again at once: it has to be calm for long");
	end();
}

static void
long_ago(void)
{
	bool sure;

	begin();
	sent_forget(cm, slot_table_find(&tab, BLOCK, &sure));
	write_block();
	is_int(looks(), 1, "one that was not sent lately goes after one delay");
	end();
}

static void
times(void)
{
	begin();
	cm->now_us = UINT64_C(1) << 40;
	sent_note(cm, 0);
	ok(sent_lately(cm, 0, 1000000), "lately: now");
	cm->now_us += 1000000;
	ok(sent_lately(cm, 0, 1000000), "a second ago, of one second");
	cm->now_us += 200000;
	ok(!sent_lately(cm, 0, 1000000), "not any more");
	ok(sent_lately(cm, 0, UINT64_MAX), "a window without an end is one of half an hour");
	cm->now_us += UINT64_C(2200) * 1000000;
	ok(!sent_lately(cm, 0, UINT64_MAX), "and no longer");
	sent_forget(cm, 0);
	ok(!sent_lately(cm, 0, UINT64_MAX), "another block's slot");
	end();
}

static void
in_flight(void)
{
	struct bop *b;

	begin();
	sim_holds_puts = true;
	cm->write_delay_us = 0;
	write_block();
	for (unsigned i = 0;
	     i < 10 && (b = bop_find(cm, BLOCK)) != NULL && b->upload != UP_INFLIGHT; i++)
		turn();
	cm->write_delay_us = 60000000;
	write_block();
	b = bop_find(cm, BLOCK);
	ok(b != NULL && b->upload == UP_INFLIGHT && b->on_dirty && b->again,
	    "written while its upload is under way: again");
	writeback_later(cm, b, 0);
	sim_holds_puts = false;
	end();
}

int
main(void)
{
	sim_faults = false;
	returns();
	long_ago();
	times();
	in_flight();
	return (tap_done());
}
