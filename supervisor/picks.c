/* SPDX-License-Identifier: ISC */
/* The rules themselves are in common/conf_sizes.c and cachemgr/readahead.c. */
#include "supervisor/picks.h"

#include "ipc/shm.h"

#include "common/conf.h"
#include "common/log.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

void
picks_log(const struct super *s, const struct shm_geometry *geo, bool kept)
{
	const struct conf *conf = s->conf;
	uint32_t transfers = conf_max_transfers(conf, geo->block_size);
	uint64_t all = s->size / geo->block_size + transfers;
	const char *why;

	why = kept			 ? "the size of the cache file"
	      : geo->nslots == all	 ? "the whole disk"
	      : conf->cache_file != NULL ? "10 GiB, at most 80 % of what is free there"
					 : "a quarter of the memory, at most 1 GiB";
	if (!conf_is_set(conf, CONF_blockCacheSize) && !conf->shared_disk_mode)
		log_info("picked: blockCacheSize=%u: %s", geo->nslots, why);
	if (conf->max_transfers == 0)
		log_info("picked: maxTransfers=%u: 128 MiB of blocks (32 MiB without a cache), "
			 "16 to 512",
		    transfers);
	if (conf->uploaders == 0)
		log_info(
		    "picked: uploaders=%u: one for each processor, at most 4", geo->nuploaders);
	if (!conf_is_set(conf, CONF_readAhead))
		log_info("picked: readAhead=%u: the first step, it grows while the reader waits",
		    conf->read_ahead);
}
