/* SPDX-License-Identifier: ISC */
/*
 * test_slot_io.c -- the bytes of a slot are the same whether its cache is mapped or read: a cache in
 * memory and one in a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/slot_table.h"
#include "tests/unit/tap.h"
#include "uploader/slot_io.h"

#define BLOCK 65536u
#define SUB   4096u
#define SLOTS 40u

static struct shm shm;
static struct slot_table table;
static uint8_t want[BLOCK], got[BLOCK];

static int
cache(bool sealed)
{
	int fd = memfd_create("cache", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)shm_slot_off(&shm, SLOTS)) < 0 ||
	    (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0))
		abort();
	return (fd);
}

static void
look(const char *how, bool sealed)
{
	struct slot_cache c;
	struct slot_io io;
	int fd = cache(sealed);

	is_int(slot_cache_open(&c, fd, &shm), 0, "%s: opened", how);
	ok((c.map != NULL) == sealed, "%s: mapped if it cannot be cut off", how);
	slot_io_init(&io, &shm, &c, 3);
	for (uint32_t i = 0; i < BLOCK; i++)
		want[i] = (uint8_t)(i * 7 + i / 251);
	is_int(slot_io_write(&io, 100, want + 100, BLOCK - 100), 0, "%s: written", how);
	is_int(slot_io_write(&io, 0, want, 100), 0, "%s: and the rest", how);
	is_int(slot_io_read(&io, 0, got, BLOCK), 0, "%s: read", how);
	ok(memcmp(got, want, BLOCK) == 0, "%s: what was written", how);
	ok(pread(fd, got, BLOCK, (off_t)shm_slot_off(&shm, 3)) == BLOCK &&
		memcmp(got, want, BLOCK) == 0,
	    "%s: it lies where the slot is", how);
	is_int(slot_io_write(&io, BLOCK - 1, want, 2), -EINVAL, "%s: nothing beyond it", how);
	is_int(slot_io_read(&io, BLOCK - 1, got, 2), -EINVAL, "%s: nor read", how);
	ok((slot_io_at(&io, 5, 10) != NULL) == sealed, "%s: looked at where it lies", how);
	ok(slot_io_at(&io, BLOCK - 1, 2) == NULL, "%s: and not beyond it", how);

	/* Sub-blocks 1 and 2 are valid, the others read as zeros whatever lies there. */
	atomic_store(&table.slot[3].head, slot_head(0, 1, SLOT_F_MAP, SLOT_LIVE));
	slot_valid_set(&table, 3, 1, 2);
	slot_io_sparse(&io, &table, 3);
	memset(want, 0, SUB);
	memset(want + 3 * SUB, 0, BLOCK - 3 * SUB);
	is_int(slot_io_read(&io, 0, got, BLOCK), 0, "%s: sparse", how);
	ok(memcmp(got, want, BLOCK) == 0, "%s: what is not valid is zero", how);
	ok((slot_io_at(&io, SUB, 2 * SUB) != NULL) == sealed, "%s: valid bytes lie there", how);
	ok(slot_io_at(&io, SUB, 2 * SUB + 1) == NULL && slot_io_at(&io, 0, SUB) == NULL &&
		slot_io_at(&io, 0, 2 * SUB) == NULL,
	    "%s: zeros lie nowhere", how);
	close(fd);
}

int
main(void)
{
	struct shm_geometry g;

	if (shm_plan(&g, 64, BLOCK, SLOTS, 1, 64) < 0 || shm_create(&g, &shm) < 0)
		abort();
	slot_table_attach(&table, &shm);
	is_int(shm.geo.sub_size, SUB, "sub-blocks");
	look("memory", true);
	look("file", false);
	shm_detach(&shm);
	return (tap_done());
}
