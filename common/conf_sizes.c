/* SPDX-License-Identifier: ISC */
/*
 * conf_sizes.c -- sizes that depend on the block size or on the machine.
 *
 * Process:  cachemgr, supervisor.  Threads: any; reads only.
 * Rules:    a cache in memory is a quarter of the memory, at most 1 GiB; a cache file is what it
 *           already is, else 10 GiB, at most 80 % of what its file system has free.  Requests in
 *           flight fill 10 gigabits at 100 ms: 128 MiB of blocks, between 16 and 512 requests.
 *           Without a cache each holds memory of its own: 32 MiB.
 */
#include "common/conf.h"

#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include "common/blockmath.h"
#include "common/cachelayout.h"
#include "common/cleanup.h"
#include "common/conf_priv.h"

#define MIB	       (UINT64_C(1) << 20)
#define GIB	       (UINT64_C(1) << 30)
#define SLOTS_MIN      8
#define SLOTS_MAX      (UINT64_C(1) << 31)
#define IN_FLIGHT      (128 * MIB)
#define IN_FLIGHT_BARE (32 * MIB)
#define TRANSFERS_MIN  16
#define TRANSFERS_MAX  512

static uint64_t
default_memory_bytes(void)
{
	struct sysinfo info;

	if (sysinfo(&info) != 0)
		return (256 * MIB);
	return (min_u64((uint64_t)info.totalram * info.mem_unit / 4, GIB));
}

/* The largest number of slots whose file is not larger: that for which the file was made. */
static uint64_t
slots_of_file(uint64_t bytes, uint64_t block_size)
{
	uint64_t low = 0, high = min_u64(bytes / block_size, SLOTS_MAX);

	while (low < high) {
		uint64_t mid = (low + high + 1) / 2;

		if (cache_data_off((uint32_t)mid) + mid * block_size <= bytes)
			low = mid;
		else
			high = mid - 1;
	}
	return (low);
}

static uint64_t
default_file_slots(const char *path, uint64_t block_size)
{
	AUTO_FREE char *copy = strdup(path);
	struct statvfs fs;
	struct stat st;
	uint64_t slots;

	/* A file that is there keeps its size: another one would throw away what it holds. */
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		slots = slots_of_file((uint64_t)st.st_size, block_size);
		if (slots >= SLOTS_MIN)
			return (slots);
	}
	if (copy == NULL || statvfs(dirname(copy), &fs) != 0)
		return (10 * GIB / block_size);
	return (min_u64(10 * GIB, (uint64_t)fs.f_bavail * fs.f_frsize / 5 * 4) / block_size);
}

/* It cannot work without any slots, but then keeps nothing in them for later. */
static bool
has_no_cache(const struct conf *conf)
{
	return (
	    conf->shared_disk_mode || (conf_is_set(conf, CONF_blockCacheSize) &&
					  (conf->cache_size.blocks | conf->cache_size.bytes) == 0));
}

uint64_t
conf_cache_slots(const struct conf *conf, uint64_t block_size)
{
	const struct conf_amount *amount = &conf->cache_size;
	uint64_t slots, transfers = conf_max_transfers(conf, block_size);

	/* Each request in flight needs one to read into. */
	if (has_no_cache(conf))
		return (max_u64(2 * transfers, SLOTS_MIN));
	if (amount->blocks != 0)
		slots = amount->blocks;
	else if (amount->bytes != 0)
		slots = amount->bytes / block_size;
	else if (conf->cache_file != NULL)
		slots = default_file_slots(conf->cache_file, block_size);
	else
		slots = default_memory_bytes() / block_size;
	return (clamp_u64(slots, SLOTS_MIN, SLOTS_MAX));
}

uint64_t
conf_max_dirty_slots(const struct conf *conf, uint64_t block_size)
{
	uint64_t slots = conf_cache_slots(conf, block_size), limit;

	limit = conf->max_dirty.blocks != 0 ? conf->max_dirty.blocks
					    : blocks_for(conf->max_dirty.bytes, block_size);
	return (limit == 0 ? slots : min_u64(limit, slots));
}

uint32_t
conf_max_transfers(const struct conf *conf, uint64_t block_size)
{
	uint64_t in_flight = has_no_cache(conf) ? IN_FLIGHT_BARE : IN_FLIGHT;

	if (conf->max_transfers != 0)
		return (conf->max_transfers);
	return ((uint32_t)clamp_u64(in_flight / block_size, TRANSFERS_MIN, TRANSFERS_MAX));
}

uint32_t
conf_uploaders(const struct conf *conf)
{
	uint64_t processors;
	cpu_set_t set;

	if (conf->uploaders != 0)
		return (conf->uploaders);
	/* What we may use, not what the machine has; more than four never waited for a CPU. */
	processors = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 2;
	processors = clamp_u64(processors, 1, 4);
	return ((uint32_t)(conf->max_transfers != 0 ? min_u64(processors, conf->max_transfers)
						    : processors));
}
