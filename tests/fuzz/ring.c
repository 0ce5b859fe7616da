/* SPDX-License-Identifier: ISC */
/*
 * ring.c -- a cache manager whose peers send anything: frontend, uploader, s3backerd.
 *
 * The input is a list of steps.  Each is a turn of cachemgr, a step of an honest peer of the simulation
 * (tests/unit/cachemgr/sim.h), so that there is something in flight to be wrong about, or a message of any
 * content; numbers in messages are near the range that is right, or anything.  The fields of the segment
 * that are a peer's to write may have any value too.
 *
 * cachemgr must not panic (its own slots_check() runs after every busy turn), must not write where it has
 * no business, and every message that does not hold together must be counted.
 */
#define HIST 64
#include "tests/unit/cachemgr/sim.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/ledger.h"

#define STEPS 600

const unsigned fuzz_mutations = 30;

struct input {
	const uint8_t *p, *end;
};

static uint8_t
byte(struct input *in)
{
	return (in->p < in->end ? *in->p++ : 0);
}

static uint64_t
raw(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | byte(in);
	return (v);
}

/* 0 .. n + 1, of which the last two are out of range; or anything. */
static uint64_t
number(struct input *in, uint32_t n)
{
	uint8_t b = byte(in);

	return ((b & 0x80) != 0 ? raw(in, 8) : b % (n + 2));
}

static uint32_t
offset(struct input *in)
{
	uint8_t b = byte(in);

	return ((b & 0x80) != 0 ? (uint32_t)raw(in, 4) : b * 512u);
}

static uint64_t
request(struct input *in)
{
	uint8_t b = byte(in);

	if ((b & 0xc0) == 0 && nheld > 0)
		return (held[b % nheld].req_id);
	if ((b & 0x80) == 0)
		return ((uint64_t)(b & 7) << 32 | (b >> 3 & 7));
	return (raw(in, 8));
}

static void
any_message(struct input *in, struct ipc_msg *m)
{
	uint8_t b;

	memset(m, 0, sizeof(*m));
	m->type = byte(in) % (IPC_NTYPES + 2);
	m->flags = (uint16_t)(raw(in, 2) & 0x1fff);
	m->req_id = request(in);
	m->block = number(in, BLOCKS);
	m->arg = number(in, BLOCKS);
	b = byte(in);
	m->slot = (b & 0x80) != 0 ? (b & 0x40) != 0 ? IPC_NO_SLOT : (uint32_t)raw(in, 4)
				  : b % (SLOTS + 1);
	m->slot_gen = m->slot < SLOTS ? head_gen(atomic_load(&tab.slot[m->slot].head)) : 1;
	m->off = offset(in);
	m->len = offset(in);
	b = byte(in);
	m->status = (b & 0x80) != 0 ? (int32_t)raw(in, 4) : -(int32_t)(b & 0x7f);
	m->etag[0] = b;
}

static void
push_to(enum shm_area area, const struct ipc_msg *m)
{
	struct ipc_ring_end e;

	if (ipc_ring_attach(shm_ring(&shm, area, 0), shm.geo.ring_msgs, &e) == 0 &&
	    ipc_ring_used(&e) < shm.geo.ring_msgs / 2)
		(void)ipc_ring_push(&e, m);
}

/* What in the segment is written by the frontend alone. */
static void
frontend_field(struct input *in)
{
	uint32_t slot = byte(in) % SLOTS;
	struct ipc_slot *s = &tab.slot[slot];
	uint8_t b = byte(in);

	switch (b & 7) {
	case 0:
		atomic_fetch_add(&s->wseq, 1);
		break;
	case 1:
		atomic_fetch_or(&tab.map[slot * tab.map_words], byte(in));
		break;
	case 2:
		atomic_store(&s->touch, byte(in));
		break;
	case 3:
		atomic_store(
		    &tab.hazard[b >> 3].slot[byte(in) % IPC_HAZ_PER_LINE], (uint32_t)raw(in, 4));
		break;
	case 4:
		atomic_store(&tab.hazard[b >> 3].slot[0], byte(in) % (SLOTS + 1) | HAZ_WRITE);
		break;
	default:
		hazard_clear_all(&tab);
	}
}

/* The last thing that a peer does: an index that cannot be. */
static bool
spoil(struct input *in)
{
	static const enum shm_area area[] = {SHM_RING_FE_CM, SHM_RING_CM_FE, SHM_RING_SUP_CM,
	    SHM_RING_CM_SUP, SHM_RINGS_CM_UP, SHM_RINGS_UP_CM};
	struct ipc_ring *r = shm_ring(&shm, area[byte(in) % 6], 0);

	if ((byte(in) & 1) != 0)
		atomic_store(&r->tail, (uint32_t)raw(in, 4));
	else
		atomic_store(&r->head, (uint32_t)raw(in, 4));
	return (false);
}

static bool
step(struct input *in)
{
	struct ipc_msg m;
	uint8_t b = byte(in);

	switch (b % 12) {
	case 0:
	case 1:
		(void)cachemgr_turn(cm);
		break;
	case 2:
	case 3:
		if (ipc_ring_used(&fe_out) < shm.geo.ring_msgs / 2)
			fe_step(&op[b / 12 % WRITERS]);
		break;
	case 4:
		up_take();
		break;
	case 5:
		if (ipc_ring_used(&up_out) < shm.geo.ring_msgs / 2)
			up_answer();
		break;
	case 6:
		fe_replies();
		break;
	case 7:
		any_message(in, &m);
		push_to(SHM_RING_FE_CM, &m);
		break;
	case 8:
	case 9:
		any_message(in, &m);
		push_to(SHM_RINGS_UP_CM, &m);
		break;
	case 10:
		if ((b / 12) % 4 == 0)
			return (spoil(in));
		if ((b / 12) % 4 == 1) {
			any_message(in, &m);
			push_to(SHM_RING_SUP_CM, &m);
			break;
		}
		/* FALLTHROUGH */
	default:
		frontend_field(in);
	}
	return (true);
}

static const enum shm_area not_ours[] = {SHM_FUSE_INIT, SHM_SERVING, SHM_POOL};

/* Areas that cachemgr never writes to, from their beginning to that of the next. */
static void
guards(bool check)
{
	for (unsigned i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++) {
		uint8_t *p = shm_area(&shm, not_ours[i]);

		for (unsigned k = 0; k < 64; k++) {
			must(!check || p[k] == 0xa5);
			p[k] = 0xa5;
		}
	}
}

static void
play(struct input *in)
{
	struct ipc_msg m;

	for (unsigned n = 0; n < STEPS && in->p < in->end && step(in); n++)
		;
	for (unsigned n = 0; n < 30; n++) {
		(void)cachemgr_turn(cm);
		while (ipc_ring_pop(&up_in, &m) == 0)
			;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, data + len};

	wrong = 0;
	sim_silent = true;
	serial = versions = 0;
	if (sim_conf == NULL)
		sim_conf = sim_load();
	ledger_begin();
	world_open(byte(&in));
	guards(false);
	ledger_catches = true;
	if (setjmp(ledger_fail) == 0)
		play(&in);
	ledger_catches = false;
	guards(true);
	ledger_end();
	shm_detach(&shm);
	close(cache_fd);
	return (0);
}
