/* SPDX-License-Identifier: ISC */
#include "frontend/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ipc/bell.h"
#include "ipc/state.h"

#include "common/blockmath.h"
#include "common/conf.h"
#include "common/hugemap.h"
#include "common/log.h"
#include "common/role.h"

#include "frontend/guard.h"

#define LOOK_BLOCKS (4u << 20) /* blocks one seek may look at: about a tenth of a second */

static int
map_cache(struct volume *v, const struct shm *shm)
{
	struct stat st;
	int seals, prot = PROT_READ, r;
	void *p;

	v->map_len = shm_slot_off(shm, shm->geo.nslots);
	if (fstat(v->cache_fd, &st) < 0)
		return (-errno);
	if ((uint64_t)st.st_size < v->map_len)
		return (-EPROTO);
	/* Memory that nobody can cut off: no disk under it, so no SIGBUS. */
	seals = fcntl(v->cache_fd, F_GET_SEALS);
	if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0)
		prot |= PROT_WRITE;
	if ((prot & PROT_WRITE) != 0) {
		if ((r = hugemap(v->cache_fd, v->map_len, prot, &p)) < 0)
			return (r);
	} else {
		p = mmap(NULL, v->map_len, prot, MAP_SHARED | MAP_NORESERVE, v->cache_fd, 0);
		if (p == MAP_FAILED)
			return (-errno);
	}
	v->map = p;
	v->memory = (prot & PROT_WRITE) != 0 ? p : NULL;
	p = mmap(NULL, FE_MAX_IO, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return (-errno);
	/* Pages of its own, not the kernel's one page of zeros: see "Dying" in reply.c. */
	memset(p, 0, FE_MAX_IO);
	v->zeros = p;
	return (0);
}

int
volume_open(struct volume *v, struct role_env *env)
{
	const struct conf *c = env->conf;
	const struct shm *shm = env->shm;

	memset(v, 0, sizeof(*v));
	v->env = env;
	slot_table_attach(&v->table, shm);
	v->cache_fd = env->fd[ROLE_FD_CACHE];
	v->size = shm->geo.nblocks * shm->geo.block_size;
	/* The last block need not be full. */
	if (c->size != 0 && c->size < v->size && v->size - c->size < shm->geo.block_size)
		v->size = c->size;
	v->read_only = c->read_only;
	v->shared = c->shared_disk_mode;
	v->direct_io = c->direct_io || c->shared_disk_mode;
	v->uid = conf_is_set(c, CONF_uid) ? c->file_uid : getuid();
	v->gid = conf_is_set(c, CONF_gid) ? c->file_gid : getgid();
	v->mode = c->file_mode & 0777;
	if (v->read_only && !conf_is_set(c, CONF_fileMode))
		v->mode = 0400;
	v->mtime = time(NULL);
	for (unsigned i = 0; i < FE_FILL_LOCKS; i++)
		(void)pthread_rwlock_init(&v->fill_lock[i], NULL);
	return (map_cache(v, shm));
}

void
volume_close(struct volume *v)
{
	if (v->map != NULL)
		(void)munmap((void *)(uintptr_t)v->map, v->map_len);
	if (v->zeros != NULL)
		(void)munmap((void *)(uintptr_t)v->zeros, FE_MAX_IO);
	v->map = v->zeros = v->memory = NULL;
}

int
volume_refuses_writes(const struct volume *v)
{
	const struct ipc_state *st = v->env->state;

	if (v->read_only || atomic_load_explicit(&st->read_only, memory_order_relaxed) != 0)
		return (EROFS);
	/* Fenced: another machine owns the disk; what we took now could never be uploaded. */
	return (atomic_load_explicit(&st->fenced, memory_order_relaxed) != 0 ? EIO : 0);
}

void
volume_stat(const struct volume *v, uint64_t ino, struct stat *ret_st)
{
	struct stat st = {.st_ino = ino, .st_nlink = 1, .st_uid = v->uid, .st_gid = v->gid};

	switch (ino) {
	case FE_INO_FILE:
		st.st_mode = S_IFREG | v->mode;
		st.st_size = (off_t)v->size;
		st.st_blocks = (blkcnt_t)(v->size / 512);
		break;
	case FE_INO_STATS:
		st.st_mode = S_IFREG | 0444;
		break;
	default:
		st.st_mode = S_IFDIR | 0755;
		st.st_nlink = 2;
		break;
	}
	st.st_blksize = (blksize_t)min_u64(v->env->shm->geo.block_size, FE_MAX_IO);
	st.st_mtime = st.st_ctime = st.st_atime =
	    (time_t)atomic_load_explicit(&v->mtime, memory_order_relaxed);
	*ret_st = st;
}

static bool
is_hole(const struct volume *v, uint32_t block)
{
	bool sure;
	uint32_t slot = slot_table_find(&v->table, block, &sure);
	const struct ipc_slot *s = &v->table.slot[slot];
	uint64_t h;

	if (v->shared)
		return (false);
	if (slot == IPC_NO_SLOT)
		return (sure && zero_reads_zero(zero_get(&v->table, block)));
	/* Nothing is touched but the slot's head and map, which stay mapped: no hazard is needed. */
	h = atomic_load(&s->head);
	return (head_block(h) == block && head_linked(h) && (head_flags(h) & SLOT_F_ZBASE) != 0 &&
		!slot_valid_any(&v->table, slot, 0, v->env->shm->nsub - 1) &&
		atomic_load(&s->head) == h);
}

int
volume_seek(const struct volume *v, uint64_t off, int whence, uint64_t *ret_off)
{
	bool want_hole = whence == SEEK_HOLE;
	uint64_t block = off >> v->env->shm->block_shift, looked = 0;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return (-EINVAL);
	if (off >= v->size)
		return (-ENXIO);
	while (block < v->env->shm->geo.nblocks) {
		bool hole = looked++ < LOOK_BLOCKS && is_hole(v, (uint32_t)block);

		if (hole == want_hole || (looked > LOOK_BLOCKS && !want_hole)) {
			*ret_off = max_u64(off, block << v->env->shm->block_shift);
			return (0);
		}
		if (looked > LOOK_BLOCKS)
			break; /* want a hole: the one at the end will do */
		block++;
	}
	/* Every file ends in a hole. */
	if (!want_hole)
		return (-ENXIO);
	*ret_off = v->size;
	return (0);
}

void
volume_ring_cachemgr(const struct volume *v)
{
	ipc_bell_ring(shm_bell(v->env->shm, PROC_CACHEMGR), -1);
}
