/* SPDX-License-Identifier: ISC */
#include "supervisor/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/msg.h"
#include "ipc/pool.h"
#include "ipc/shm.h"
#include "ipc/state.h"

#include "common/conf.h"
#include "common/log.h"
#include "common/timeutil.h"

#include "supervisor/notify.h"
#include "supervisor/super.h"
#include "supervisor/vault.h"

#include "supervisor/guard.h"

#define POOL_LATEST_US (3600 * US_PER_S) /* what the pool waits for comes sooner */

/* Where each key is and who needs it; names as in conf_keys.def. */
enum {
	S3 = CONF_S3,
	CACHE = CONF_CACHE,
	MOUNT = CONF_MOUNT,
	ALL = CONF_ALL
};

static const struct {
	size_t offset, size;
	unsigned who;
} keys[CONF_NKEYS] = {
#define CONF_KEY(id, name, type, field, def, min, max, flags, needs, ...)                          \
	[CONF_##id] = {offsetof(struct conf, field), sizeof(((struct conf *)0)->field), needs},
#include "common/conf_keys.def"
};

/* The value as the number that travels in IPC_SET. */
static uint64_t
number_of(const struct super *s, int id)
{
	const char *field = (const char *)s->conf + keys[id].offset;
	uint32_t narrow;
	uint64_t wide;
	bool flag;

	if (id == CONF_blockCacheMaxDirty)
		return (conf_max_dirty_slots(s->conf, s->shm.geo.block_size));
	switch (keys[id].size) {
	case sizeof(flag):
		memcpy(&flag, field, sizeof(flag));
		return (flag);
	case sizeof(narrow):
		memcpy(&narrow, field, sizeof(narrow));
		return (narrow);
	default:
		memcpy(&wide, field, sizeof(wide));
		return (wide);
	}
}

/* A new uploader reads its configuration from the vault, so the change has to go there as well. */
static int
remember_for_uploaders(struct super *s, int id, const char *value)
{
	char line[512];
	int n;

	if ((keys[id].who & CONF_S3) == 0)
		return (0);
	n = snprintf(line, sizeof(line), "%s=%s", conf_key_name((enum conf_id)id), value);
	if (n < 0 || (size_t)n >= sizeof(line) || strpbrk(value, "%\n ") != NULL)
		return (-EINVAL);
	return (vault_append(s->vault, line));
}

static void
publish_limit(struct ipc_limit *l, uint64_t bps)
{
	/* What was granted at the old rate is forgotten: its time is not that of the new one. */
	if (atomic_exchange(&l->bps, bps) != bps)
		atomic_store(&l->free_ns, 0);
}

void
set_publish(const struct super *s)
{
	struct ipc_pool *pool = shm_pool(&s->shm);

	atomic_store(
	    &shm_state(&s->shm)->flush_to_bucket, s->conf->flush_to == CONF_FLUSH_TO_BUCKET);
	publish_limit(&pool->up, s->conf->upload_limit_bps);
	publish_limit(&pool->down, s->conf->download_limit_bps);
}

static void
heal_outage(struct ipc_outage *o, uint64_t latest)
{
	if (atomic_load(&o->retry_us) <= latest && atomic_load(&o->probe_us) <= latest &&
	    atomic_load(&o->first_us) <= now_us() && atomic_load(&o->on) <= 1)
		return;
	atomic_store(&o->retry_us, 0);
	atomic_store(&o->first_us, 0);
	atomic_store(&o->probe_us, 0);
	atomic_store(&o->row, 0);
	atomic_store(&o->on, 0);
	atomic_fetch_add(&o->ended, 1);
}

/*
 * One that had gone mad may have left times there that never come, and a rate that is not ours.  What
 * is plausible stays: the others go by it.
 */
void
set_heal_pool(const struct super *s)
{
	struct ipc_pool *pool = shm_pool(&s->shm);
	struct ipc_limit *limit[] = {&pool->up, &pool->down};
	uint64_t latest = now_us() + POOL_LATEST_US;

	set_publish(s);
	for (unsigned i = 0; i < 2; i++)
		if (atomic_load(&limit[i]->free_ns) / 1000 > latest)
			atomic_store(&limit[i]->free_ns, 0);
	for (unsigned i = 0; i < POOL_WAYS; i++)
		heal_outage(&pool->way[i].outage, latest);
}

static int
say(char **ret_text, const char *text)
{
	*ret_text = strdup(text);
	return (*ret_text == NULL ? -ENOMEM : 0);
}

/* The last value of each key counts, for a successor whose configuration file does not have it. */
static int
remember(struct super *s, const char *key, const char *value)
{
	size_t n = strlen(key);
	char *line = NULL, **grown;

	if (asprintf(&line, "%s=%s", key, value) < 0)
		return (-ENOMEM);
	for (unsigned i = 0; i < s->nlive; i++)
		if (strncmp(s->live[i], line, n + 1) == 0) {
			free(s->live[i]);
			s->live[i] = line;
			return (0);
		}
	if ((grown = reallocarray(s->live, s->nlive + 1, sizeof(*grown))) == NULL) {
		free(line);
		return (-ENOMEM);
	}
	s->live = grown;
	s->live[s->nlive++] = line;
	return (0);
}

int
set_again(struct super *s, const char *assignment)
{
	char *key = strdup(assignment), *value = key != NULL ? strchr(key, '=') : NULL;
	char *error = NULL;
	int r = value == NULL ? -EINVAL : 0;

	if (r == 0) {
		*value++ = '\0';
		r = conf_set_live(s->conf, key, value, &error);
	}
	if (r == 0)
		r = remember(s, key, value);
	free(error);
	free(key);
	return (r);
}

void
set_forget(struct super *s)
{
	for (unsigned i = 0; i < s->nlive; i++)
		free(s->live[i]);
	free(s->live);
	s->live = NULL;
	s->nlive = 0;
}

int
set_key(
    struct super *s, const char *key, const char *value, struct ipc_msg *ret_msg, char **ret_text)
{
	int id = conf_key_find(key), r;

	*ret_text = NULL;
	if (s->phase != PHASE_RUNNING) {
		(void)say(ret_text, "set: the disk is not running");
		return (-EAGAIN);
	}
	if ((r = conf_set_live(s->conf, key, value, ret_text)) < 0)
		return (r);
	if (id < 0)
		return (id);
	if ((r = remember_for_uploaders(s, id, value)) < 0)
		return (r);
	if ((r = remember(s, key, value)) < 0)
		return (r);
	notify_keep(s); /* the letter has changed */
	log_info("changed: %s = %s", key, value);
	if (id == CONF_logLevel) {
		(void)log_set_level(value);
		(void)say(ret_text, "s3backerd logs at this level now, the others from their next "
				    "start on (s3backerd restart)");
		return (SET_HERE);
	}
	set_publish(s);
	if (id == CONF_uploadLimit || id == CONF_downloadLimit)
		return (SET_HERE);
	if ((keys[id].who & CONF_CACHE) != 0) {
		*ret_msg = (struct ipc_msg){.type = IPC_SET,
		    .off = (uint32_t)id,
		    .slot = IPC_NO_SLOT,
		    .arg = number_of(s, id)};
		return (SET_BY_CACHEMGR);
	}
	if ((keys[id].who & CONF_S3) != 0)
		(void)say(
		    ret_text, "uploaders use it from their next start on (s3backerd restart)");
	return (SET_HERE);
}
