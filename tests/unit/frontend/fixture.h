/* SPDX-License-Identifier: ISC */
/*
 * fixture.h -- a frontend's volume without processes: a segment, a cache in memory, a channel whose
 * other end the test reads itself.  Plays cachemgr's part as far as rules H1 to H9 need it.
 */
#ifndef S3B_TESTS_FRONTEND_FIXTURE_H
#define S3B_TESTS_FRONTEND_FIXTURE_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/msg.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"

#include "common/conf.h"
#include "common/counters.h"
#include "common/role.h"

#include "frontend/channel.h"
#include "frontend/hit.h"
#include "frontend/throttle.h"
#include "frontend/volume.h"
#include "tests/unit/tap.h"

struct fixture {
	struct shm	    shm;
	struct role_env	    env;
	struct volume	    v;
	struct ipc_ring_end in, out;	/* cachemgr's */
	struct ipc_bell	   *cm_bell;
};

__attribute__((unused)) static void
fixture_open(struct fixture *f, uint64_t nblocks, uint32_t block_size, uint32_t nslots,
    uint32_t ring_msgs)
{
	const char *over[] = {"bucket=file:///nowhere", "mountPoint=/nowhere", NULL};
	struct shm_geometry g;
	char *error = NULL;

	memset(f, 0, sizeof(*f));
	if (shm_plan(&g, nblocks, block_size, nslots, 1, 16) < 0)
		abort();
	g.ring_msgs = ring_msgs;
	if (shm_create(&g, &f->shm) < 0 || conf_load(NULL, over, &f->env.conf, &error) < 0)
		abort();
	f->env.shm = &f->shm;
	f->env.proc = PROC_FRONTEND;
	f->env.epoch = 1;
	f->env.me = shm_proc(&f->shm, PROC_FRONTEND);
	f->env.bell = shm_bell(&f->shm, PROC_FRONTEND);
	f->env.state = shm_state(&f->shm);
	f->env.counters = shm_counters(&f->shm, PROC_FRONTEND);
	for (unsigned i = 0; i < ROLE_NFDS; i++)
		f->env.fd[i] = -1;
	f->env.fd[ROLE_FD_CACHE] = memfd_create("cache", MFD_CLOEXEC);
	if (ftruncate(f->env.fd[ROLE_FD_CACHE], (off_t)shm_slot_off(&f->shm, nslots)) < 0)
		abort();
	f->cm_bell = shm_bell(&f->shm, PROC_CACHEMGR);
	if (ipc_ring_attach(shm_ring(&f->shm, SHM_RING_FE_CM, 0), ring_msgs, &f->in) < 0 ||
	    ipc_ring_attach(shm_ring(&f->shm, SHM_RING_CM_FE, 0), ring_msgs, &f->out) < 0 ||
	    volume_open(&f->v, &f->env) < 0 || channel_open(&f->v, &f->v.channel) < 0 ||
	    throttle_open(&f->v.throttle) < 0)
		abort();
}

__attribute__((unused)) static void
fixture_close(struct fixture *f)
{
	throttle_close(&f->v.throttle);
	channel_close(&f->v.channel);
	volume_close(&f->v);
	close(f->env.fd[ROLE_FD_CACHE]);
	conf_free(f->env.conf);
	shm_detach(&f->shm);
}

__attribute__((unused)) static void
fixture_link(struct fixture *f, uint32_t slot, uint32_t block, uint8_t flags, uint8_t state)
{
	struct slot_table *t = &f->v.table;
	_Atomic uint32_t *b = &t->bucket[slot_table_hash(t, block)];
	uint16_t gen = (uint16_t)(head_gen(atomic_load(&t->slot[slot].head)) + 1);

	if ((flags & SLOT_F_WHOLE) == 0)
		flags |= SLOT_F_MAP;
	atomic_fetch_add(t->gen, 1);
	atomic_store(&t->slot[slot].next, atomic_load(b));
	atomic_store(&t->slot[slot].head, slot_head(block, gen, flags, state));
	atomic_store(b, slot + 1);
}

__attribute__((unused)) static void
fixture_head(struct fixture *f, uint32_t slot, uint8_t flags, uint8_t state)
{
	uint64_t h = atomic_load(&f->v.table.slot[slot].head);

	flags |= head_flags(h) & (SLOT_F_MAP | SLOT_F_WHOLE);
	atomic_store(&f->v.table.slot[slot].head,
	    slot_head(head_block(h), head_gen(h), flags, state));
}

/* Bytes of a slot, around the frontend. */
__attribute__((unused)) static void
fixture_poke(struct fixture *f, uint32_t slot, uint32_t off, int byte, size_t len)
{
	char *p = malloc(len);

	memset(p, byte, len);
	if (pwrite(f->env.fd[ROLE_FD_CACHE], p, len, (off_t)shm_slot_off(&f->shm, slot) + off) !=
	    (ssize_t)len)
		abort();
	free(p);
}

/* How many of the slot's bytes off .. off + len are `byte`. */
__attribute__((unused)) static size_t
fixture_count(struct fixture *f, uint32_t slot, uint32_t off, int byte, size_t len)
{
	unsigned char *p = malloc(len);
	size_t n = 0;

	if (pread(f->env.fd[ROLE_FD_CACHE], p, len, (off_t)shm_slot_off(&f->shm, slot) + off) !=
	    (ssize_t)len)
		abort();
	for (size_t i = 0; i < len; i++)
		n += p[i] == byte;
	free(p);
	return (n);
}

#endif
