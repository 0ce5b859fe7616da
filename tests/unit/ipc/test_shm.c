/* SPDX-License-Identifier: ISC */
/*
 * test_shm.c -- the segment: planned, made, attached; what is not one is refused and not mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/shm.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"
#include "tests/unit/tap.h"

static void
test_plan(void)
{
	struct shm_geometry g;

	is_int(shm_plan(&g, 1000, 1 << 20, 100, 2, 64), 0, "a usual disk");
	ok(g.sub_size == 4096 && g.nbuckets == 128 && g.ring_msgs >= 4096, "has the usual parts");
	is_int(shm_plan(&g, 1000, 512, 100, 2, 64), 0, "the smallest block");
	is_int(g.sub_size, 512, "is one sub-block");
	is_int(shm_plan(&g, 1000, 1 << 30, 100, 2, 64), 0, "the largest block");
	is_int(g.block_size / g.sub_size, IPC_SUB_MAX, "has as many as a slot's map has bits");
	is_int(shm_plan(&g, UINT32_MAX, 4096, 100, 2, 64), 0, "the most blocks");
	is_int(shm_plan(&g, 1000, 4096, 100, 2, 4096), 0, "the most transfers");
	ok(g.ring_msgs >= 2 * 4096, "fit twice into a ring");
	is_int(shm_plan(&g, 0, 4096, 100, 2, 64), -EINVAL, "no block");
	is_int(shm_plan(&g, UINT64_C(1) << 32, 4096, 100, 2, 64), -EINVAL, "too many blocks");
	is_int(shm_plan(&g, 10, 256, 100, 2, 64), -EINVAL, "a block too small");
	is_int(shm_plan(&g, 10, 1u << 31, 100, 2, 64), -EINVAL, "a block too large");
	is_int(shm_plan(&g, 10, 4095, 100, 2, 64), -EINVAL, "a block not a power of two");
	is_int(shm_plan(&g, 10, 4096, 0, 2, 64), -EINVAL, "no slot");
	is_int(shm_plan(&g, 10, 4096, 1u << 31, 2, 64), -EINVAL, "too many slots");
	is_int(shm_plan(&g, 10, 4096, 10, 0, 64), -EINVAL, "no uploader");
	is_int(shm_plan(&g, 10, 4096, 10, IPC_MAX_UPLOADERS + 1, 64), -EINVAL, "too many");
}

static void
test_areas(const struct shm *s)
{
	int ordered = 1, aligned = 1;

	for (unsigned a = 0; a < SHM_NAREAS; a++) {
		aligned &= s->off[a] % 4096 == 0;
		ordered &= s->off[a] < s->size && (a == 0 || s->off[a] > s->off[a - 1]);
	}
	ok(ordered, "areas follow each other within the segment");
	ok(aligned, "each begins on a page");
	ok((char *)(shm_proc(s, shm_nprocs(s) - 1) + 1) <= (char *)shm_area(s, SHM_BELLS),
	    "the last row of the process table fits");
	ok((char *)(shm_bell(s, shm_nprocs(s) - 1) + 1) <= (char *)shm_area(s, SHM_STATE),
	    "the last bell fits");
	ok((char *)shm_ring(s, SHM_RINGS_UP_CM, s->geo.nuploaders - 1) +
		    ipc_ring_bytes(s->geo.ring_msgs) <=
		(char *)shm_area(s, SHM_FUSE_INIT),
	    "the last ring fits");
	ok(s->off[SHM_ZEROMAP] + (s->geo.nblocks + 31) / 32 * 8 <= s->size, "the zero map fits");
}

/* The same segment in a file that is not sealed, or altered: must be refused. */
static int
attach_copy(const struct shm *s, int seals, off_t size, size_t at, uint32_t value)
{
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;
	struct shm other;

	if (fd < 0 || pwrite(fd, s->base, 4096, 0) != 4096 || ftruncate(fd, size) < 0)
		abort();
	if (at != SIZE_MAX && pwrite(fd, &value, sizeof(value), (off_t)at) != sizeof(value))
		abort();
	if (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		abort();
	r = shm_attach(fd, &other);
	if (r == 0)
		shm_detach(&other);
	else
		close(fd);
	return (r);
}

static void
test_refusals(const struct shm *s)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	off_t size = (off_t)s->size;
	char name[] = "/tmp/test_shm.XXXXXX";
	int fd = mkstemp(name), null = open("/dev/null", O_RDWR);
	struct shm other;

	is_int(attach_copy(s, seals, size, SIZE_MAX, 0), 0, "a true copy is attached");
	is_int(attach_copy(s, 0, size, SIZE_MAX, 0), -EPROTO, "without seals: refused");
	is_int(attach_copy(s, F_SEAL_GROW, size, SIZE_MAX, 0), -EPROTO, "shrinkable: refused");
	is_int(attach_copy(s, seals, size - 4096, SIZE_MAX, 0), -EPROTO, "a page short: refused");
	is_int(attach_copy(s, seals, size + 4096, SIZE_MAX, 0), -EPROTO, "a page long: refused");
	is_int(attach_copy(s, seals, 100, SIZE_MAX, 0), -EPROTO, "no header: refused");
	is_int(attach_copy(s, seals, size, 0, 0), -EPROTO, "no magic: refused");
	is_int(attach_copy(s, seals, size, 4, IPC_VERSION + 1), -EPROTO, "other version: refused");
	/* The geometry begins at 16: nblocks, block_size, sub_size, nslots, nbuckets, nuploaders. */
	is_int(attach_copy(s, seals, size, 24, 4095), -EPROTO, "odd block size: refused");
	is_int(attach_copy(s, seals, size, 28, 0), -EPROTO, "no sub-block size: refused");
	is_int(
	    attach_copy(s, seals, size, 32, 0x7fffffff), -EPROTO, "more slots than fit: refused");
	is_int(attach_copy(s, seals, size, 36, 3), -EPROTO, "odd number of buckets: refused");
	is_int(attach_copy(s, seals, size, 40, 65), -EPROTO, "too many uploaders: refused");
	is_int(attach_copy(s, seals, size, 44, 4095), -EPROTO, "odd ring: refused");
	is_int(shm_attach(fd, &other), -EPROTO, "an ordinary file: refused");
	is_int(shm_attach(null, &other), -EPROTO, "a device: refused");
	is_int(shm_attach(-1, &other), -EBADF, "nothing: refused");
	(void)unlink(name);
	close(fd);
	close(null);
}

static void
test_two_views(const struct shm *s)
{
	struct shm other;
	struct ipc_ring_end in, out;
	struct ipc_msg m = {.type = IPC_DONE, .req_id = 42};
	struct slot_table t;

	is_int(shm_attach(dup(s->fd), &other), 0, "attached a second time");
	ok(memcmp(&other.geo, &s->geo, sizeof(s->geo)) == 0 && other.nsub == 256 &&
		other.block_shift == 20 && other.sub_shift == 12,
	    "with the same geometry");
	atomic_store(&shm_state(s)->acked_seq, 77);
	is_int(atomic_load(&shm_state(&other)->acked_seq), 77, "one sees what the other writes");
	is_int(ipc_ring_attach(shm_ring(s, SHM_RINGS_CM_UP, 1), s->geo.ring_msgs, &in), 0,
	    "a ring of one");
	is_int(ipc_ring_attach(shm_ring(&other, SHM_RINGS_CM_UP, 1), s->geo.ring_msgs, &out), 0,
	    "is a ring of the other");
	ok(ipc_ring_push(&in, &m) == 0 && ipc_ring_pop(&out, &m) == 0 && m.req_id == 42,
	    "messages go through");
	ok(shm_bell(s, PROC_CACHEMGR)->kind == IPC_BELL_SEM &&
		shm_bell(s, PROC_UPLOADER0)->kind == IPC_BELL_EVENTFD,
	    "bells of their kinds");
	slot_table_attach(&t, &other);
	is_int(t.bucket_mask, s->geo.nbuckets - 1, "the slot table is found");
	ok((char *)t.bucket - (char *)t.gen == IPC_LINE, "its generation has a line for itself");
	shm_detach(&other);
	shm_detach(&other);
	ok(other.fd == -1 && other.base == NULL, "detached, twice");
}

int
main(void)
{
	struct shm_geometry g;
	struct shm s;

	test_plan();
	if (shm_plan(&g, 100000, 1 << 20, 3000, 3, 64) < 0)
		return (1);
	is_int(shm_create(&g, &s), 0, "made");
	ok(ftruncate(s.fd, 4096) < 0 && errno == EPERM, "nobody can truncate it");
	ok(ftruncate(s.fd, (off_t)s.size * 2) < 0, "or make it grow");
	test_areas(&s);
	test_refusals(&s);
	test_two_views(&s);
	g.sub_size = 0;
	ok(shm_create(&g, &s) == -EINVAL, "a geometry that does not hold is not made");
	shm_detach(&s);
	return (tap_done());
}
