/* SPDX-License-Identifier: ISC */
#include "ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/counters.h"
#include "ipc/bell.h"
#include "ipc/pool.h"
#include "ipc/proc_table.h"
#include "ipc/ring.h"
#include "ipc/slot_table.h"
#include "ipc/state.h"
#include "ipc/write_log.h"

/* The first page of the segment.  magic is stored last: a half-made segment is no segment. */
struct shm_header {
	_Atomic uint32_t magic;
	uint32_t version;
	uint64_t size;
	struct shm_geometry geo;
	uint64_t off[SHM_NAREAS];
};
_Static_assert(sizeof(struct shm_header) <= 4096, "one page");

#define FUSE_INIT_BYTES 4096
#define SHM_PAGE	4096 /* what one process writes and another may not shares none */

static uint32_t
pow2_above(uint64_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1u << 31)
		p <<= 1;
	return (p);
}

int
shm_plan(struct shm_geometry *g, uint64_t nblocks, uint32_t block_size, uint32_t nslots,
    uint32_t nuploaders, uint32_t max_transfers)
{
	memset(g, 0, sizeof(*g));
	if (nblocks == 0 || nblocks > UINT32_MAX || block_size < 512 || block_size > 1u << 30 ||
	    (block_size & (block_size - 1)) != 0 || nslots == 0 || nslots >= 1u << 31 ||
	    nuploaders == 0 || nuploaders > IPC_MAX_UPLOADERS)
		return (-EINVAL);
	g->nblocks = nblocks;
	g->block_size = block_size;
	/* Pages are what the kernel writes; more than IPC_SUB_MAX bits a slot's map does not have. */
	g->sub_size = block_size / IPC_SUB_MAX > 4096 ? block_size / IPC_SUB_MAX : 4096;
	if (g->sub_size > block_size)
		g->sub_size = block_size;
	g->nslots = nslots;
	g->nbuckets = pow2_above(nslots);
	g->nuploaders = nuploaders;
	/* Room for every request of a busy frontend and for all transfers with their listings. */
	g->ring_msgs = pow2_above((uint64_t)max_transfers * 2 < 4096 ? 4096 : max_transfers * 2);
	g->data_off = 0;
	return (0);
}

/* Offsets of all areas; returns the size of the segment. */
static uint64_t
lay_out(const struct shm_geometry *g, uint64_t off[SHM_NAREAS])
{
	uint64_t ring = (ipc_ring_bytes(g->ring_msgs) + 4095) & ~UINT64_C(4095);
	uint64_t nproc = PROC_UPLOADER0 + g->nuploaders;
	uint64_t len[SHM_NAREAS] = {
	    [SHM_PROCS] = nproc * SHM_PAGE,
	    [SHM_BELLS] = nproc * SHM_PAGE,
	    [SHM_STATE] = sizeof(struct ipc_state),
	    [SHM_COUNTERS] = nproc * SHM_PAGE,
	    [SHM_HAZARDS] = IPC_HAZ_LINES * sizeof(struct ipc_hazard),
	    [SHM_RING_FE_CM] = ring,
	    [SHM_RING_CM_FE] = ring,
	    [SHM_RING_SUP_CM] = ring,
	    [SHM_RING_CM_SUP] = ring,
	    [SHM_RINGS_CM_UP] = ring * g->nuploaders,
	    [SHM_RINGS_UP_CM] = ring * g->nuploaders,
	    [SHM_FUSE_INIT] = FUSE_INIT_BYTES,
	    [SHM_BUCKETS] = IPC_LINE + (uint64_t)g->nbuckets * sizeof(uint32_t),
	    [SHM_SLOTS] = (uint64_t)g->nslots * sizeof(struct ipc_slot),
	    [SHM_VALID] = (uint64_t)g->nslots * shm_map_words(g->block_size / g->sub_size) * 8,
	    [SHM_ZEROMAP] = (g->nblocks + 31) / 32 * 8,
	    [SHM_POOL] = sizeof(struct ipc_pool),
	    [SHM_SERVING] = IPC_HAZ_LINES * sizeof(struct ipc_serving),
	    [SHM_WRITE_LOG] = IPC_HAZ_LINES * sizeof(struct ipc_write_log),
	};
	uint64_t at = 4096;

	for (unsigned a = 0; a < SHM_NAREAS; a++) {
		off[a] = at;
		at += (len[a] + 4095) & ~UINT64_C(4095);
	}
	return (at);
}
_Static_assert(sizeof(struct counters) <= 4096, "a page of counters per process");

static bool
geometry_holds(const struct shm_geometry *g)
{
	return (g->nblocks > 0 && g->nblocks <= UINT32_MAX && g->block_size >= 512 &&
		(g->block_size & (g->block_size - 1)) == 0 && g->sub_size > 0 &&
		g->sub_size <= g->block_size && g->block_size % g->sub_size == 0 &&
		g->block_size / g->sub_size <= IPC_SUB_MAX && g->nslots > 0 &&
		g->nslots < 1u << 31 && g->nbuckets > 0 && (g->nbuckets & (g->nbuckets - 1)) == 0 &&
		g->nuploaders > 0 && g->nuploaders <= IPC_MAX_UPLOADERS && g->ring_msgs > 0 &&
		(g->ring_msgs & (g->ring_msgs - 1)) == 0);
}

static void
fill_in(struct shm *s)
{
	s->block_shift = (uint32_t)__builtin_ctz(s->geo.block_size);
	s->sub_shift = (uint32_t)__builtin_ctz(s->geo.sub_size);
	s->nsub = s->geo.block_size / s->geo.sub_size;
}

static void
init_areas(struct shm *s)
{
	for (uint32_t p = 0; p < shm_nprocs(s); p++)
		(void)ipc_bell_init(shm_bell(s, p),
		    p == PROC_FRONTEND || p == PROC_CACHEMGR ? IPC_BELL_SEM : IPC_BELL_EVENTFD);
	for (unsigned a = SHM_RING_FE_CM; a <= SHM_RING_CM_SUP; a++)
		ipc_ring_init(shm_ring(s, a, 0), s->geo.ring_msgs);
	for (uint32_t u = 0; u < s->geo.nuploaders; u++) {
		ipc_ring_init(shm_ring(s, SHM_RINGS_CM_UP, u), s->geo.ring_msgs);
		ipc_ring_init(shm_ring(s, SHM_RINGS_UP_CM, u), s->geo.ring_msgs);
	}
}

int
shm_create(const struct shm_geometry *g, struct shm *ret_shm)
{
	struct shm s = {.geo = *g, .fd = -1};
	struct shm_header *h;
	int error;

	if (!geometry_holds(g))
		return (-EINVAL);
	s.size = lay_out(g, s.off);
	s.fd = memfd_create("s3backer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s.fd < 0)
		return (-errno);
	/* The mode is asked for when a role opens it once more, in /proc: reading at most. */
	if (ftruncate(s.fd, (off_t)s.size) < 0 || fchmod(s.fd, 0400) < 0 ||
	    fcntl(s.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	s.base = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s.fd, 0);
	if (s.base == MAP_FAILED)
		goto fail;
	fill_in(&s);
	init_areas(&s);
	h = s.base;
	h->version = IPC_VERSION;
	h->size = s.size;
	h->geo = *g;
	memcpy(h->off, s.off, sizeof(h->off));
	atomic_store(&h->magic, IPC_MAGIC);
	*ret_shm = s;
	return (0);
fail:
	error = -errno;
	close(s.fd);
	return (error);
}

int
shm_attach(int fd, struct shm *ret_shm)
{
	struct shm s = {.fd = fd};
	struct shm_header *h;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) < 0)
		return (-errno);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || st.st_size < 4096)
		return (-EPROTO);
	s.size = (uint64_t)st.st_size;
	s.base = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (s.base == MAP_FAILED)
		return (-errno);
	h = s.base;
	s.geo = h->geo;
	if (atomic_load(&h->magic) != IPC_MAGIC || h->version != IPC_VERSION ||
	    !geometry_holds(&s.geo) || lay_out(&s.geo, s.off) != s.size) {
		munmap(s.base, s.size);
		return (-EPROTO);
	}
	fill_in(&s);
	*ret_shm = s;
	return (0);
}

/* ---- what an uploader sees of it ----------------------------------------------------------- */
static int
map_writable(const struct shm *s, const void *at, uint64_t len, void *base)
{
	uint64_t off = (uint64_t)((const char *)at - (const char *)s->base);
	void *p = mmap((char *)base + off, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	    s->fd, (off_t)off);

	return (p == MAP_FAILED ? -errno : 0);
}

/* What has it as a writer in ipc/README.md. */
static int
map_own(const struct shm *s, uint32_t proc, void *base)
{
	uint64_t ring =
	    (ipc_ring_bytes(s->geo.ring_msgs) + SHM_PAGE - 1) & ~(SHM_PAGE - UINT64_C(1));
	uint32_t u = proc - PROC_UPLOADER0;
	int r;

	if ((r = map_writable(s, shm_proc(s, proc), SHM_PAGE, base)) < 0 ||
	    (r = map_writable(s, shm_bell(s, proc), SHM_PAGE, base)) < 0 ||
	    (r = map_writable(s, shm_bell(s, PROC_CACHEMGR), SHM_PAGE, base)) < 0 ||
	    (r = map_writable(s, shm_counters(s, proc), SHM_PAGE, base)) < 0 ||
	    (r = map_writable(s, shm_ring(s, SHM_RINGS_CM_UP, u), SHM_PAGE, base)) < 0 ||
	    (r = map_writable(s, shm_ring(s, SHM_RINGS_UP_CM, u), ring, base)) < 0)
		return (r);
	return (map_writable(s, shm_pool(s), SHM_PAGE, base));
}

int
shm_attach_uploader(int fd, uint32_t proc, struct shm *ret_shm)
{
	char path[64];
	struct shm s;
	void *base;
	int ro, r;

	if ((r = shm_attach(fd, &s)) < 0)
		return (r);
	if (proc < PROC_UPLOADER0 || proc >= shm_nprocs(&s)) {
		munmap(s.base, s.size);
		return (-EPROTO);
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (ro < 0) { /* no /proc: as the others see it */
		*ret_shm = s;
		return (0);
	}
	/* Of a descriptor that cannot write, so that no mprotect(2) makes it writable later. */
	base = mmap(NULL, s.size, PROT_READ, MAP_SHARED | MAP_NORESERVE, ro, 0);
	r = base == MAP_FAILED ? -errno : map_own(&s, proc, base);
	close(ro);
	munmap(s.base, s.size);
	if (r < 0) {
		if (base != MAP_FAILED)
			munmap(base, s.size);
		return (r);
	}
	s.base = base;
	close(s.fd);
	s.fd = -1;
	*ret_shm = s;
	return (0);
}

void
shm_detach(struct shm *s)
{
	if (s == NULL || s->base == NULL)
		return;
	munmap(s->base, s->size);
	if (s->fd >= 0)
		close(s->fd);
	s->base = NULL;
	s->fd = -1;
}

static void *
row_of(const struct shm *s, enum shm_area a, uint32_t proc)
{
	return ((char *)shm_area(s, a) + (size_t)proc * SHM_PAGE);
}

struct proc_slot *
shm_proc(const struct shm *s, uint32_t proc)
{
	return (row_of(s, SHM_PROCS, proc));
}

struct ipc_bell *
shm_bell(const struct shm *s, uint32_t proc)
{
	return (row_of(s, SHM_BELLS, proc));
}

struct counters *
shm_counters(const struct shm *s, uint32_t proc)
{
	return (row_of(s, SHM_COUNTERS, proc));
}

struct ipc_state *
shm_state(const struct shm *s)
{
	return (shm_area(s, SHM_STATE));
}

struct ipc_pool *
shm_pool(const struct shm *s)
{
	return (shm_area(s, SHM_POOL));
}

struct ipc_ring *
shm_ring(const struct shm *s, enum shm_area a, uint32_t index)
{
	uint64_t ring = (ipc_ring_bytes(s->geo.ring_msgs) + 4095) & ~UINT64_C(4095);

	return ((struct ipc_ring *)((char *)shm_area(s, a) + ring * index));
}
