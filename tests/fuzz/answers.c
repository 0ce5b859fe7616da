/* SPDX-License-Identifier: ISC */
/*
 * answers.c -- a frontend whose cachemgr has gone mad: any answers in the ring, any slot table.
 *
 * Each question must be answered at most once, and with no more than an error or "look again"; what a
 * read is served from must lie in the mapped cache, and writes must stay within the bytes of the slots.
 */
#include <errno.h>

#include "common/blockmath.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/frontend/fixture.h"

#define NMSG   16
#define ASKS   8
#define BLOCK  65536u
#define NBLOCK 20
#define NSLOT  4

const unsigned fuzz_mutations = 100;

struct input {
	const uint8_t *p, *end;
};

static struct fixture f;
static struct outmsg asked[ASKS];
static bool waits[ASKS];
static struct lane lane;

static uint64_t
raw(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | (in->p < in->end ? *in->p++ : 0);
	return (v);
}

static void
on_answer(struct outmsg *out, int status, void *arg)
{
	size_t i = (size_t)(out - asked);

	(void)arg;
	must(out >= asked && i < ASKS && waits[i] && status <= 0);
	waits[i] = false;
}

static void
any_answer(struct input *in)
{
	struct ipc_msg m = {.type = IPC_DONE};
	uint8_t how = (uint8_t)raw(in, 1);

	if ((how & 1) != 0)
		m.req_id = asked[how / 2 % ASKS].msg.req_id;
	else
		m.req_id = raw(in, 8);
	if ((how & 0x40) != 0)
		m.type = (uint16_t)raw(in, 1);
	m.status = (int32_t)raw(in, 4);
	m.slot = (uint32_t)raw(in, 4);
	m.flags = (uint16_t)raw(in, 2);
	m.off = m.len = (uint32_t)raw(in, 4);
	(void)ipc_ring_push(&f.out, &m);
}

/* A line of the table, or a bucket, with anything in it. */
static void
any_slot(struct input *in)
{
	uint8_t how = (uint8_t)raw(in, 1), b = (uint8_t)raw(in, 1);
	struct ipc_slot *s = &f.v.table.slot[how % NSLOT];

	switch (how >> 4 & 3) {
	case 0:
		atomic_store(&s->head, slot_head(b % (NBLOCK + 1), 1, (uint8_t)raw(in, 1), b % 6));
		atomic_store(&s->next, (uint32_t)raw(in, 1));
		break;
	case 1:
		atomic_store(&f.v.table.map[how % NSLOT * f.v.table.map_words], raw(in, 8));
		break;
	case 2:
		atomic_store(&f.v.table.bucket[b & f.v.table.bucket_mask], (uint32_t)raw(in, 1));
		break;
	default:
		atomic_store(&s->head, raw(in, 8));
		atomic_store(&f.v.table.bucket[b & f.v.table.bucket_mask], (uint32_t)raw(in, 4));
		atomic_store(&s->next, (uint32_t)raw(in, 4));
	}
}

static void
touch_block(struct input *in, bool write)
{
	static char bytes[BLOCK];
	uint64_t v = raw(in, 5);
	struct block_span sp = {.block = v % NBLOCK, .off = (uint32_t)(v >> 8) % BLOCK};

	sp.len = 1 + (uint32_t)(v >> 24) % (BLOCK - sp.off);
	if (write) {
		(void)hit_write(&lane, &sp, bytes, true);
	} else if (hit_read(&lane, &sp) == HIT) {
		for (unsigned i = 0; i < lane.niov; i++) {
			const char *p = lane.iov[i].iov_base;
			size_t len = lane.iov[i].iov_len;

			must((p >= f.v.zeros && p + len <= f.v.zeros + FE_MAX_IO) ||
			     (p >= f.v.map && p + len <= f.v.map + f.v.map_len));
		}
	}
	lane_release(&lane);
}

static void
step(struct input *in)
{
	switch (raw(in, 1) % 8) {
	case 0:
		for (unsigned i = 0; i < ASKS; i++)
			if (!waits[i]) {
				asked[i].msg = (struct ipc_msg){
				    .type = IPC_READ, .slot = IPC_NO_SLOT, .block = i, .len = 1};
				waits[i] = true;
				channel_ask(f.v.channel, &asked[i]);
				break;
			}
		break;
	case 1:
	case 2:
		any_answer(in);
		break;
	case 3:
		(void)channel_drain(f.v.channel, 100, on_answer, NULL);
		break;
	case 4:
		if ((raw(in, 1) & 7) == 0)
			atomic_store(&shm_proc(&f.shm, PROC_CACHEMGR)->epoch, (uint32_t)raw(in, 1));
		(void)channel_tend(f.v.channel, 1);
		break;
	case 5:
		any_slot(in);
		break;
	case 6:
		touch_block(in, (raw(in, 1) & 1) != 0);
		break;
	default:
		if ((raw(in, 1) & 15) == 0)
			atomic_store(&f.out.ring->tail, (uint32_t)raw(in, 4));
		else if ((raw(in, 1) & 15) == 0)
			atomic_store(&f.in.ring->head, (uint32_t)raw(in, 4));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, data + len};

	fixture_open(&f, NBLOCK, BLOCK, NSLOT, NMSG);
	lane_init(&lane, &f.v, 0);
	memset(waits, 0, sizeof(waits));
	for (unsigned n = 0; n < 400 && in.p < in.end; n++)
		step(&in);
	(void)channel_drain(f.v.channel, 100, on_answer, NULL);
	fixture_close(&f);
	return (0);
}
