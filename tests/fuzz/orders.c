/* SPDX-License-Identifier: ISC */
/*
 * orders.c -- an uploader that is ordered to do anything, by a store that answers anything.
 *
 * The ring from cachemgr gets any messages; the store is one of the test's own, which does with a slot what
 * a store does and answers as the input says.  Bytes of slots that no GET named must stay what they are, and
 * every order that was taken has at most one DONE.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "tests/fuzz/fuzz.h"
#include "uploader/codec.h"
#include "uploader/jobs.h"
#include "uploader/payload.h"
#include "uploader/uploader.h"

#define BLOCK  4096u
#define NBLOCK 40u
#define NSLOT  8u
#define OPS    256

const unsigned fuzz_mutations = 100;

static struct shm shm;
static struct role_env env;
static struct uploader up;
static struct ipc_ring_end to, from;
static struct store_op *flying[OPS];
static unsigned nflying;
static bool named[NSLOT]; /* by a GET */

/* ---- the store ------------------------------------------------------------------------------ */

static void
submit(struct store *s, struct store_op *op)
{
	(void)s;
	must(nflying < OPS);
	flying[nflying++] = op;
}

static bool
cancel(struct store *s, struct store_op *op)
{
	(void)s;
	for (unsigned i = 0; i < nflying; i++)
		if (flying[i] == op) {
			flying[i] = flying[--nflying];
			return (true);
		}
	return (false);
}

static const struct store_backend backend = {.name = "any", .submit = submit, .cancel = cancel};
static struct store store = {.backend = &backend, .parts = true};

/* In this thread, so that an input is the same run every time. */
void __wrap_jobs_submit(struct jobs *, struct job *);

void
__wrap_jobs_submit(struct jobs *p, struct job *j)
{
	static char scratch[JOBS_SCRATCH];

	(void)p;
	j->run(j, scratch);
	j->done(j);
}

/* No pause is waited for. */
void __real_loop_timer_set(struct loop *, struct timer *, uint64_t);
void __wrap_loop_timer_set(struct loop *, struct timer *, uint64_t);

void
__wrap_loop_timer_set(struct loop *l, struct timer *t, uint64_t when)
{
	(void)when;
	__real_loop_timer_set(l, t, 1);
}

static void
move_bytes(struct store_op *op, uint8_t how)
{
	static uint8_t bytes[BLOCK];

	memset(bytes, how, sizeof(bytes));
	if (op->kind == STORE_GET && op->widen && (how & 0x40) != 0) {
		op->off = 0;
		op->len = BLOCK;
	}
	if (op->kind == STORE_GET && op->io.fd >= 0)
		must(slot_io_write(&op->io, op->off, bytes, op->len) == 0);
	if (op->kind == STORE_PUT && op->payload->out.data == NULL)
		must(payload_read(op->payload, 0, bytes, BLOCK) == 0);
}

static void
answer(uint8_t how, uint8_t what)
{
	struct store_op *op;
	unsigned i;

	if (nflying == 0)
		return;
	i = what % nflying;
	op = flying[i];
	flying[i] = flying[--nflying];
	memset(&op->reply, 0, sizeof(op->reply));
	op->reply.fail = (enum fail)(how % (FAIL_DATA + 1));
	op->reply.http = how % 2 != 0 ? 503 : 0;
	op->reply.error = how % 3 == 0 ? -EIO : 0;
	op->reply.object_bad = (what & 0x80) != 0;
	op->reply.unknown = (what & 0x40) != 0;
	op->reply.may_land = (what & 0x20) != 0;
	(void)snprintf(op->reply.etag, sizeof(op->reply.etag), "\"%032x\"", what);
	if (op->reply.fail == FAIL_NONE)
		move_bytes(op, how);
	if (op->kind == STORE_LIST && op->reply.fail == FAIL_NONE)
		for (uint32_t b = op->first + what % 4; b <= op->last && b < op->first + 8; b++)
			op->on_block(op, b, NULL);
	op->done(op);
}

/* ---- the world ------------------------------------------------------------------------------ */

static void
open_world(void)
{
	static const char *const option[] = {"bucket=bkt", "mountPoint=/mnt", "size=160k",
	    "blockSize=4k", "accessId=a", "accessKey=k", "timeout=1s", NULL};
	struct shm_geometry g;
	char *error = NULL;

	if (env.conf == NULL) {
		log_open("orders", "/dev/null", "err", false); /* what is refused is no news */
		must(conf_load(NULL, option, &env.conf, &error) == 0);
	}
	must(shm_plan(&g, NBLOCK, BLOCK, NSLOT, 1, 16) == 0 && shm_create(&g, &shm) == 0);
	env.shm = &shm;
	env.proc = PROC_UPLOADER0;
	env.epoch = 1;
	env.me = shm_proc(&shm, PROC_UPLOADER0);
	env.bell = shm_bell(&shm, PROC_UPLOADER0);
	env.state = shm_state(&shm);
	env.counters = shm_counters(&shm, PROC_UPLOADER0);
	for (unsigned i = 0; i < ROLE_NFDS; i++)
		env.fd[i] = -1;
	env.fd[ROLE_FD_UPBELL0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	env.fd[ROLE_FD_CACHE] = memfd_create("cache", MFD_CLOEXEC);
	must(ftruncate(env.fd[ROLE_FD_CACHE], NSLOT * BLOCK) == 0);
	up = (struct uploader){.env = &env, .bell_fd = -1, .store = &store};
	must(slot_cache_open(&up.cache, env.fd[ROLE_FD_CACHE], &shm) == 0);
	TAILQ_INIT(&up.work);
	must(loop_open(&up.loop) == 0 && peer_open(&up) == 0);
	must(codec_open(env.conf, &up.codec, &error) == 0);
	up.get_policy = up.change_policy = up.token_policy = (struct retry_policy){1, 1000000};
	for (unsigned i = 0; i < POOL_WAYS; i++)
		up.way[i].outage = &shm_pool(&shm)->way[i].outage;
	must(ipc_ring_attach(shm_ring(&shm, SHM_RINGS_CM_UP, 0), shm.geo.ring_msgs, &to) == 0);
	must(ipc_ring_attach(shm_ring(&shm, SHM_RINGS_UP_CM, 0), shm.geo.ring_msgs, &from) == 0);
	memset(named, 0, sizeof(named));
	nflying = 0;
}

/* Nothing but the slots that were named. */
static void
look_at_slots(void)
{
	static const uint8_t nothing[BLOCK];
	uint8_t bytes[BLOCK];

	for (uint32_t s = 0; s < NSLOT; s++) {
		must(pread(env.fd[ROLE_FD_CACHE], bytes, BLOCK, (off_t)s * BLOCK) == BLOCK);
		must(named[s] || memcmp(bytes, nothing, BLOCK) == 0);
	}
	must(lseek(env.fd[ROLE_FD_CACHE], 0, SEEK_END) == NSLOT * BLOCK);
}

/* All that is going on ends: the store succeeds, and nobody pauses any more. */
static void
close_world(void)
{
	struct ipc_msg m;

	up.leaving = true;
	for (unsigned n = 0; n < 4000 && up.nwork > 0; n++) {
		work_leave(&up);
		while (nflying > 0)
			answer(0, 0);
		if (up.deleting != NULL) {
			m = up.deleting->msg;
			m.flags = 0;
			m.arg = 0;
			deletion_message(&up, &m);
		}
		(void)loop_turn(&up.loop, 0);
		peer_flush(&up);
		while (ipc_ring_pop(&from, &m) == 0)
			;
	}
	must(up.nwork == 0);
	codec_close(&up.codec);
	loop_close(&up.loop);
	free(up.outbox);
	close(env.fd[ROLE_FD_CACHE]);
	close(env.fd[ROLE_FD_UPBELL0]);
	shm_detach(&shm);
}

/* ---- the input ------------------------------------------------------------------------------ */

struct input {
	const uint8_t *p, *end;
};

static uint64_t
raw(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | (in->p < in->end ? *in->p++ : 0);
	return (v);
}

static uint64_t
number(struct input *in, uint32_t n)
{
	uint8_t b = (uint8_t)raw(in, 1);

	return ((b & 0x80) != 0 ? raw(in, 8) : b % (n + 2));
}

static void
order(struct input *in)
{
	struct ipc_msg m = {.type = (uint16_t)(raw(in, 1) % (IPC_NTYPES + 2))};
	uint8_t b;

	m.flags = (uint16_t)(raw(in, 2) & 0x1fff);
	m.req_id = raw(in, 1);
	m.block = number(in, NBLOCK);
	m.arg = number(in, NBLOCK);
	m.slot = (uint32_t)number(in, NSLOT);
	b = (uint8_t)raw(in, 1);
	m.off = (b & 0x80) != 0 ? (uint32_t)raw(in, 4) : b * 64u;
	b = (uint8_t)raw(in, 1);
	m.len = (b & 0x80) != 0 ? (uint32_t)raw(in, 4) : b * 64u;
	if (m.type == IPC_GET && m.slot < NSLOT)
		named[m.slot] = true;
	if (up.nwork < OPS / 20)
		(void)ipc_ring_push(&to, &m);
}

static void
step(struct input *in)
{
	struct ipc_msg m;
	uint8_t how;

	switch (raw(in, 1) % 6) {
	case 0:
	case 1:
		order(in);
		break;
	case 2:
		(void)peer_receive(&up, 8);
		peer_flush(&up);
		break;
	case 3:
		how = (uint8_t)raw(in, 1);
		answer(how, (uint8_t)raw(in, 1));
		break;
	case 4:
		(void)loop_turn(&up.loop, 0);
		break;
	default:
		while (ipc_ring_pop(&from, &m) == 0)
			must(m.type == IPC_DONE || m.type == IPC_LISTED);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, data + len};

	open_world();
	for (unsigned n = 0; n < 300 && in.p < in.end; n++)
		step(&in);
	look_at_slots();
	close_world();
	return (0);
}
