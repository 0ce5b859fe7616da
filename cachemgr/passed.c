/* SPDX-License-Identifier: ISC */
/*
 * passed.c -- blocks that a sequential writer has left behind go to the bucket at once.
 *
 * The write delay is there for blocks that will be written again.  One that was written from end to end
 * by somebody who has since moved on will not be, and while it waits the network does nothing: a
 * quarter of a second at the start of every long write.
 *
 * A few writers are followed at once.  A block that becomes dirty just behind the last one moves its
 * writer on; once RUN_BYTES lie behind him, the block LAG_BYTES behind is looked at, once: several of
 * his requests may be under way and arrive in any order.  If it is complete, its upload begins.  What is
 * not, and what is written again after all, waits for the delay as ever.  A block becomes dirty once per
 * upload, so rewriting one again and again (row 20 of bench/) costs no upload more than before.
 */
#include "cachemgr/cm.h"

#define RUN_BYTES (4u << 20)
#define LAG_BYTES (1u << 20)

/* In a small cache a writer leaves no megabytes behind. */
static uint32_t
at_most(uint32_t n, uint32_t max)
{
	return (n < max ? n : max);
}

static struct passing *
writer_of(struct cachemgr *cm, uint32_t block)
{
	struct passing *oldest = &cm->passing[0];

	for (unsigned i = 0; i < PASSINGS; i++) {
		struct passing *p = &cm->passing[i];

		/* Two requests that change places are still one writer. */
		if (p->used_us != 0 && block + 2 >= p->next && block <= p->next + 1)
			return (p);
		if (p->used_us < oldest->used_us)
			oldest = p;
	}
	*oldest = (struct passing){.next = block, .run = 0};
	return (oldest);
}

void
passed_note(struct cachemgr *cm, uint32_t block)
{
	uint32_t nslots = cm->shm->geo.nslots;
	uint32_t lag = 1 + at_most(LAG_BYTES >> cm->shm->block_shift, nslots / 16);
	uint32_t run = 1 + lag + at_most(RUN_BYTES >> cm->shm->block_shift, nslots / 8);
	struct passing *p;
	struct bop *b;

	if (!cm->send_passed)
		return;
	p = writer_of(cm, block);
	p->used_us = cm->now_us;
	if (block >= p->next) {
		p->run += block + 1 - p->next;
		p->next = block + 1;
	}
	if (p->run < run || block < lag || (b = bop_find(cm, block - lag)) == NULL)
		return;
	if (upload_now(cm, b))
		ctr_inc(cm->ctr, passed);
}
