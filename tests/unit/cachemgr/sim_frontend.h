/* SPDX-License-Identifier: ISC */
/*
 * sim_frontend.h -- a frontend that follows rules H1 to H6 in single steps.  Part of sim.h.
 */
#ifndef S3B_TESTS_SIM_FRONTEND_H
#define S3B_TESTS_SIM_FRONTEND_H

static void
op_end(struct op *o)
{
	if (o->kind == OP_WRITE || o->kind == OP_TRIM)
		for (uint32_t i = 0; i < o->count; i++)
			busy[o->block + i]--;
	o->kind = OP_NONE;
	o->step = STEP_LOOK;
}

static void
read_step(struct op *o)
{
	struct ipc_hazard *line = &tab.hazard[o - op];
	bool sure;
	uint32_t slot = slot_table_find(&tab, o->block, &sure), got = 0;
	uint64_t h;

	if (slot == IPC_NO_SLOT) {
		if (!sure || !zero_reads_zero(zero_get(&tab, o->block))) {
			send_fe(IPC_READ, o, o->sub * SUB, SUB, IPC_NO_SLOT);
			o->step = STEP_WAIT;
			return;
		}
	} else {
		h = hazard_take(&tab, line, 0, slot, o->block, false);
		if (h == 0)
			return; /* look again */
		if (slot_valid_test(&tab, slot, o->sub)) {
			got = value_at(slot, o->sub);
		} else if ((head_flags(h) & SLOT_F_ZBASE) == 0) {
			(void)hazard_drop(&tab, line, 0, slot);
			send_fe(IPC_READ, o, o->sub * SUB, SUB, IPC_NO_SLOT);
			o->step = STEP_WAIT;
			return;
		}
		(void)hazard_drop(&tab, line, 0, slot);
		if (rnd(2) == 0)
			atomic_fetch_add(&tab.slot[slot].touch, 1);
		if ((head_flags(h) & SLOT_F_MARK) != 0) {
			o->gen = head_gen(h);
			send_fe(IPC_AHEAD, o, 0, 0, slot);
		}
	}
	if (busy[o->block] == 0 && got != now_value(o->block, o->sub))
		complain("read", o->block, o->sub, got, now_value(o->block, o->sub));
	op_end(o);
}

static void
write_look(struct op *o)
{
	bool sure;
	uint64_t h;

	o->slot = slot_table_find(&tab, o->block, &sure);
	h = o->slot == IPC_NO_SLOT
		? 0
		: hazard_take(&tab, &tab.hazard[o - op], 0, o->slot, o->block, true);
	if (h == 0) {
		send_fe(IPC_WRITE, o, o->sub * SUB, SUB, IPC_NO_SLOT);
		o->step = STEP_WAIT;
		return;
	}
	o->gen = head_gen(h);
	o->step = STEP_SEQ;
}

/* Each has a ring of its own, which is sometimes full. */
static void
note_write(const struct op *o)
{
	struct ipc_write_log *l =
	    (struct ipc_write_log *)shm_area(&shm, SHM_WRITE_LOG) + (o - op);
	struct ipc_wrote w = {o->slot, o->gen, o->sub * SUB, SUB};

	if (sim_loses_notes || rnd(20) == 0)
		atomic_fetch_add(&l->lost, 1);
	else
		write_log_add(l, &w);
}

static void
write_step(struct op *o)
{
	static uint32_t page[SUB / 4];
	struct ipc_slot *s = &tab.slot[o->slot];
	uint32_t old;

	switch (o->step) {
	case STEP_LOOK:
		write_look(o);
		return;
	case STEP_SEQ:
		o->lost_before = atomic_load(&env.state->notes_lost);
		old = atomic_fetch_add(&s->wseq, 1);
		o->first_dirty = old == atomic_load(&s->cseq);
		o->step = STEP_COPY;
		model_set(o->block, o->sub, o->value);
		return;
	case STEP_COPY:
		for (unsigned i = 0; i < SUB / 4; i++)
			page[i] = o->value;
		(void)pwrite_full(
		    cache_fd, page, SUB, (off_t)(shm_slot_off(&shm, o->slot) + o->sub * SUB));
		o->step = STEP_VALID;
		return;
	case STEP_VALID:
		slot_valid_set(&tab, o->slot, o->sub, o->sub);
		o->step = STEP_NOTE;
		return;
	case STEP_NOTE:
		note_write(o);
		o->step = STEP_DROP;
		return;
	case STEP_DROP:
		(void)hazard_drop(&tab, &tab.hazard[o - op], 0, o->slot);
		if (o->first_dirty)
			send_fe(IPC_DIRTY, o, 0, 0, o->slot);
		model_acked(o->block, o->sub);
		op_end(o);
		return;
	default:
		return;
	}
}

static void
trim_step(struct op *o)
{
	for (uint32_t b = 0; b < o->count; b++)
		for (uint32_t i = 0; i < NSUB; i++)
			model_set(o->block + b, i, 0);
	send_fe(IPC_TRIM, o, 0, 0, IPC_NO_SLOT);
	o->step = STEP_WAIT;
}

static bool
range_busy(uint32_t block, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (busy[block + i] > 0)
			return (true);
	return (false);
}

static void
op_begin(struct op *o)
{
	static const enum op_kind kinds[] = {
	    OP_WRITE, OP_WRITE, OP_WRITE, OP_READ, OP_READ, OP_READ, OP_READ, OP_TRIM, OP_FLUSH};

	o->kind = kinds[rnd(sizeof(kinds) / sizeof(kinds[0]))];
	o->step = STEP_LOOK;
	/* A hot corner and a run for the read-ahead. */
	o->block = rnd(3) == 0 ? rnd(6) : rnd(BLOCKS);
	o->sub = rnd(NSUB);
	o->count = 1;
	if (o->kind == OP_TRIM && rnd(3) == 0)
		o->count = 1 + rnd(BLOCKS - o->block);
	if (o->kind == OP_WRITE || o->kind == OP_TRIM) {
		/* One changer of a block at a time keeps the model exact. */
		if (range_busy(o->block, o->count)) {
			o->kind = OP_NONE;
			return;
		}
		for (uint32_t i = 0; i < o->count; i++)
			busy[o->block + i]++;
		o->value = ++serial;
	}
	if (o->kind == OP_FLUSH && flushing) { /* one at a time: the model has one snapshot */
		o->kind = OP_NONE;
	} else if (o->kind == OP_FLUSH) {
		flushing = true;
		flush_begins();
		send_fe(IPC_FLUSH, o, 0, 0, IPC_NO_SLOT);
		o->step = STEP_WAIT;
	}
}

static void
fe_step(struct op *o)
{
	if (o->step == STEP_WAIT)
		return;
	if (o->kind == OP_NONE)
		op_begin(o);
	else if (o->kind == OP_READ)
		read_step(o);
	else if (o->kind == OP_WRITE)
		write_step(o);
	else if (o->kind == OP_TRIM)
		trim_step(o);
}

static void
fe_replies(void)
{
	struct ipc_msg m;

	while (ipc_ring_pop(&fe_in, &m) == 0) {
		for (unsigned i = 0; i < WRITERS; i++) {
			struct op *o = &op[i];

			if (o->kind == OP_NONE || o->step != STEP_WAIT || o->req != m.req_id)
				continue;
			if (m.status < 0 && m.status != -EIO)
				complain("status", o->block, o->sub, (uint32_t)-m.status, 0);
			if (o->kind == OP_TRIM) {
				for (uint32_t b = 0; b < o->count * NSUB; b++)
					model_acked(o->block + b / NSUB, b % NSUB);
				op_end(o);
			} else if (o->kind == OP_FLUSH) {
				if (m.status == 0)
					flush_ends();
				flushing = false;
				op_end(o);
			} else {
				o->step = STEP_LOOK;
			}
		}
	}
}

#endif
