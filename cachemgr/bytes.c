/* SPDX-License-Identifier: ISC */
/*
 * bytes.c -- moving bytes between slots of the cache file.
 *
 * pread and pwrite, not the mapping: a failing disk is then an errno and not a SIGBUS.  Not
 * copy_file_range either: XFS and btrfs share extents for it, and flush the source to do so.
 */
#include <errno.h>
#include <string.h>

#include "cachemgr/cm.h"
#include "cachemgr/commit.h"
#include "common/durable.h"

#define CHUNK (256u << 10)

static uint8_t chunk[CHUNK]; /* main thread only */

static int
copy_range(struct cachemgr *cm, uint32_t from, uint32_t to, uint64_t off, uint64_t len)
{
	while (len > 0) {
		size_t n = len < CHUNK ? len : CHUNK;
		int error;

		if ((error = pread_full(
			 cm->cache_fd, chunk, n, (off_t)(shm_slot_off(cm->shm, from) + off))) < 0 ||
		    (error = pwrite_full(
			 cm->cache_fd, chunk, n, (off_t)(shm_slot_off(cm->shm, to) + off))) < 0) {
			commit_cache_fault(cm, error);
			return (error);
		}
		off += n;
		len -= n;
	}
	return (0);
}

/* The next run of sub-blocks that are valid in `from` and, if `missing`, not in `to`. */
static bool
next_run(
    struct cachemgr *cm, uint32_t from, uint32_t to, bool missing, uint32_t *first, uint32_t *last)
{
	uint32_t i = *first, nsub = cm->shm->nsub;

#define WANTED(n)                                                                                  \
	(slot_valid_test(&cm->tab, from, n) && !(missing && slot_valid_test(&cm->tab, to, n)))
	while (i < nsub && !WANTED(i))
		i++;
	if (i == nsub)
		return (false);
	*first = i;
	while (i + 1 < nsub && WANTED(i + 1))
		i++;
	*last = i;
#undef WANTED
	return (true);
}

static int
copy_runs(struct cachemgr *cm, uint32_t from, uint32_t to, bool missing)
{
	uint32_t shift = cm->shm->sub_shift;
	uint32_t first = 0, last;
	int error;

	while (next_run(cm, from, to, missing, &first, &last)) {
		error = copy_range(
		    cm, from, to, (uint64_t)first << shift, (uint64_t)(last - first + 1) << shift);
		if (error < 0)
			return (error);
		slot_add_valid(cm, to, first, last);
		first = last + 1;
	}
	return (0);
}

int
bytes_copy_valid(struct cachemgr *cm, uint32_t from, uint32_t to)
{
	return (copy_runs(cm, from, to, false));
}

int
bytes_fill_missing(struct cachemgr *cm, uint32_t from, uint32_t to)
{
	return (copy_runs(cm, from, to, true));
}

int
bytes_zero_sub(struct cachemgr *cm, uint32_t slot, uint32_t sub)
{
	uint64_t off = (uint64_t)sub << cm->shm->sub_shift;
	uint64_t left = cm->shm->geo.sub_size;
	int error;

	memset(chunk, 0, left < CHUNK ? left : CHUNK);
	while (left > 0) {
		size_t n = left < CHUNK ? left : CHUNK;

		error =
		    pwrite_full(cm->cache_fd, chunk, n, (off_t)(shm_slot_off(cm->shm, slot) + off));
		if (error < 0) {
			commit_cache_fault(cm, error);
			return (error);
		}
		off += n;
		left -= n;
	}
	slot_add_valid(cm, slot, sub, sub);
	return (0);
}
