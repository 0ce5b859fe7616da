/* SPDX-License-Identifier: ISC */
#include "uploader/slot_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "common/blockmath.h"
#include "common/durable.h"
#include "common/hugemap.h"
#include "ipc/slot_table.h"

#include "uploader/guard.h"

int
slot_cache_open(struct slot_cache *c, int fd, const struct shm *shm)
{
	int seals = fcntl(fd, F_GET_SEALS), error;
	size_t len = shm_slot_off(shm, shm->geo.nslots);
	void *map;

	*c = (struct slot_cache){.fd = fd};
	/* Memory that nobody can cut off, and that begins with its slots: it has no journal. */
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || shm_slot_off(shm, 0) != 0)
		return (0);
	if ((error = hugemap(fd, len, PROT_READ | PROT_WRITE, &map)) < 0)
		return (error);
	c->map = map;
	return (0);
}

void
slot_io_init(
    struct slot_io *io, const struct shm *shm, const struct slot_cache *cache, uint32_t slot)
{
	memset(io, 0, sizeof(*io));
	io->fd = cache->fd;
	io->base = shm_slot_off(shm, slot);
	io->mem = cache->map != NULL ? cache->map + io->base : NULL;
	io->size = shm->geo.block_size;
	io->sub_size = shm->geo.sub_size;
}

void
slot_io_sparse(struct slot_io *io, const struct slot_table *t, uint32_t slot)
{
	io->sparse = true;
	slot_valid_read(t, slot, io->valid);
}

static bool
valid_at(const struct slot_io *io, uint64_t off)
{
	uint64_t sub = off / io->sub_size;

	return (!io->sparse || (io->valid[sub >> 6] >> (sub & 63) & 1) != 0);
}

/* Bytes from `off` on that are valid, or not valid, like the one at `off`; at most `len`. */
static size_t
run_at(const struct slot_io *io, uint64_t off, size_t len)
{
	uint64_t end = round_down(off, io->sub_size) + io->sub_size;

	if (!io->sparse)
		return (len);
	while (end < off + len && valid_at(io, end) == valid_at(io, off))
		end += io->sub_size;
	return (min_u64(end - off, len));
}

int
slot_io_read(const struct slot_io *io, uint64_t off, void *buf, size_t len)
{
	char *p = buf;
	size_t n;
	int error;

	if (!range_within(off, len, io->size))
		return (-EINVAL);
	for (; len > 0; p += n, off += n, len -= n) {
		n = run_at(io, off, len);
		if (!valid_at(io, off))
			memset(p, 0, n);
		else if (io->mem != NULL)
			memcpy(p, io->mem + off, n);
		else if ((error = pread_full(io->fd, p, n, (off_t)(io->base + off))) < 0)
			return (error);
	}
	return (0);
}

const uint8_t *
slot_io_at(const struct slot_io *io, uint64_t off, size_t len)
{
	if (io->mem == NULL || !range_within(off, len, io->size) || !valid_at(io, off) ||
	    run_at(io, off, len) < len)
		return (NULL);
	return (io->mem + off);
}

int
slot_io_write(const struct slot_io *io, uint64_t off, const void *buf, size_t len)
{
	if (!range_within(off, len, io->size))
		return (-EINVAL);
	if (io->mem != NULL) {
		memcpy(io->mem + off, buf, len);
		return (0);
	}
	return (pwrite_full(io->fd, buf, len, (off_t)(io->base + off)));
}
