/* SPDX-License-Identifier: ISC */
/*
 * sim_model.h -- what every sub-block may hold.  Part of sim.h.
 */
#ifndef S3B_TESTS_SIM_MODEL_H
#define S3B_TESTS_SIM_MODEL_H

/*
 * What a sub-block may hold.  Its content is one number, repeated; 0 is zeros.  h[0] is what it held
 * at the last completed flush, or at the start; h[n - 1] what the last change made of it.  After a
 * power loss each sector may hold any of h[0 .. n-1]; without one, only the last.
 */
#ifndef HIST
#define HIST 4096
#endif
struct sub {
	uint32_t h[HIST];
	uint32_t n;	/* entries */
	uint32_t acked; /* of these, acknowledged */
	uint32_t snap;	/* acked when the flush under way began */
};
static struct sub model[BLOCKS][NSUB];
static uint32_t serial;
#define SIM_OWNERS 65536u
static uint32_t sim_owner[SIM_OWNERS]; /* block * NSUB + sub + 1 that a value was made for */

static void
owner_note(uint32_t block, uint32_t sub, uint32_t value)
{
	if (value != 0 && value < SIM_OWNERS)
		sim_owner[value] = block * NSUB + sub + 1;
}
static uint32_t busy[BLOCKS]; /* operations that change this block and have not ended */

static uint32_t
now_value(uint32_t block, uint32_t sub)
{
	return (model[block][sub].h[model[block][sub].n - 1]);
}

static void
model_set(uint32_t block, uint32_t sub, uint32_t value)
{
	struct sub *s = &model[block][sub];

	if (s->n == HIST) { /* forget the middle: allowed values only ever become fewer */
		s->h[1] = s->h[HIST - 1];
		s->n = 2;
		s->acked = s->snap = 1;
	}
	s->h[s->n++] = value;
	owner_note(block, sub, value);
}

static void
model_acked(uint32_t block, uint32_t sub)
{
	model[block][sub].acked = model[block][sub].n;
}

static void
model_reset(uint32_t block, uint32_t sub, uint32_t value)
{
	struct sub *s = &model[block][sub];

	s->n = s->acked = s->snap = 1;
	s->h[0] = value;
	owner_note(block, sub, value);
}

static void
flush_begins(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t i = 0; i < NSUB; i++)
			model[b][i].snap = model[b][i].acked;
}

/* Everything acknowledged when it began is there for good. */
static void
flush_ends(void)
{
	for (uint32_t b = 0; b < BLOCKS; b++)
		for (uint32_t i = 0; i < NSUB; i++) {
			struct sub *s = &model[b][i];
			uint32_t drop = s->snap - 1;

			memmove(s->h, s->h + drop, (s->n - drop) * sizeof(s->h[0]));
			s->n -= drop;
			s->acked -= drop;
			s->snap = 1;
		}
}

static uint8_t bucket[BLOCKS][BSIZE];
static bool exists[BLOCKS];
static uint32_t version[BLOCKS]; /* its ETag: grows with every PUT */
static uint32_t versions;

#endif
