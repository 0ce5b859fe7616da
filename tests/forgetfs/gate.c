/* SPDX-License-Identifier: ISC */
/*
 * gate.c -- what every operation passes: waiting while held, failing when dead, faults, the trigger.
 *
 * Process, threads: forgetfs.h.  All of it with ff.lock held.
 */
#include "tests/forgetfs/gate.h"

#include <errno.h>

static void
wait_while_held(void)
{
	while (ff.held && !ff.dead)
		(void)pthread_cond_wait(&ff.changed, &ff.lock);
}

uint64_t
ff_random(void)
{
	ff.faults.rng =
	    ff.faults.rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (ff.faults.rng >> 33);
}

/* The number of the fault this operation meets, 0: none. */
static int
fault_of(enum ff_kind kind)
{
	const struct ff_faults *f = &ff.faults;

	if (f->readonly && kind != FF_READ)
		return (EROFS);
	if (f->enospc && (kind == FF_WRITE || kind == FF_META))
		return (ENOSPC);
	if (f->percent[kind] > 0 && ff_random() % 100 < f->percent[kind])
		return (EIO);
	return (0);
}

static void
pull_trigger(void)
{
	ff.trigger.armed = false;
	if (ff.trigger.cut)
		ff_cut(ff.trigger.seed, ff.trigger.mode);
	else
		ff.held = true;
	(void)pthread_cond_broadcast(&ff.changed);
}

/* Counts; true: the cut falls now. */
static bool
trigger_hit(enum ff_kind kind)
{
	struct ff_trigger *t = &ff.trigger;

	if (!t->armed || (t->syncs && kind != FF_SYNC))
		return (false);
	return (t->left <= 1 || --t->left == 0);
}

int
gate_enter(enum ff_kind kind)
{
	int error;

	if (kind != FF_READ)
		wait_while_held();
	if (ff.dead)
		return (EIO);
	ff.count[kind]++;
	if ((error = fault_of(kind)) != 0) {
		ff.failed++;
		return (error);
	}
	/* A sync has done nothing when the cut falls before it. */
	if (kind == FF_SYNC && trigger_hit(kind)) {
		pull_trigger();
		wait_while_held();
	}
	return (ff.dead ? EIO : 0);
}

int
gate_leave(enum ff_kind kind)
{
	/* The bytes of a write in flight are on their way: any part of them may be on the disk. */
	if ((kind == FF_WRITE || kind == FF_META) && trigger_hit(kind)) {
		pull_trigger();
		wait_while_held();
	}
	return (ff.dead ? EIO : 0);
}

void
ff_cut(uint64_t seed, enum ff_mode mode)
{
	image_cut(&ff.image, seed, mode);
	ff.held = false;
	ff.dead = true;
	(void)pthread_cond_broadcast(&ff.changed);
}
