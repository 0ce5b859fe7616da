/* SPDX-License-Identifier: ISC */
/*
 * ending.c -- the end of a disk: whatever was begun is undone, the mount token goes back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"

#include "supervisor/bury.h"
#include "supervisor/command.h"
#include "supervisor/control.h"
#include "supervisor/disk.h"
#include "supervisor/mount.h"
#include "supervisor/pidlock.h"
#include "supervisor/scrape.h"
#include "supervisor/storetool.h"
#include "supervisor/super.h"
#include "supervisor/token.h"
#include "supervisor/usage.h"

#include "supervisor/guard.h"

/* T5: changes in the cache file keep the disk ours. */
static void
give_token_back(struct super *s, char *warning, size_t len)
{
	struct storetool t;
	char *error = NULL;
	int r;

	if (s->token.value == 0 || s->vault == NULL)
		return;
	/* A start that failed says nothing about what the one before has left in the cache file. */
	if (s->token.taken_over && !s->was_running && s->conf->cache_file != NULL)
		return;
	if (s->fenced) {
		(void)snprintf(warning, len,
		    !s->left_changes ? "the disk was fenced"
		    : s->conf->cache_file != NULL
			? "the disk was fenced: these changes were not uploaded and wait in the "
			  "cache file (s3backerctl(8), FENCED DISKS)"
			: "the disk was fenced, and without a cache file its changes are lost");
		return;
	}
	if (s->left_changes && s->conf->cache_file != NULL) {
		(void)snprintf(warning, len,
		    "changes are in the cache file alone, so the disk stays "
		    "marked as mounted by this machine");
		return;
	}
	r = storetool_open(&t, s->vault, s->opt.foreground, &error);
	if (r == 0)
		r = token_drop(s, &t, &error);
	storetool_close(&t);
	if (r < 0) {
		(void)snprintf(warning, len,
		    "the mount token could not be removed: %s (this machine "
		    "can start the disk again, others need reset-mounted-flag)",
		    error != NULL ? error : strerror(-r));
		log_warn("%s", warning);
	}
	free(error);
}

void
disk_end(struct super *s)
{
	char warning[512] = "";

	if (s->role != NULL)
		bury_kill_all(s);
	if (s->mounted)
		mount_detach(s->conf->mount_point);
	s->mounted = false;
	give_token_back(s, warning, sizeof(warning));
	command_drop_all(s);
	if (s->control != NULL)
		(void)unlink(s->paths.sock);
	scrape_remove(s);
	usage_end(s);
	pidlock_drop(s->paths.pid, &s->pid_fd);
	if (s->was_running)
		log_event(EVENT_STOPPED, LEVEL_INFO, "stopped: left_dirty_bytes=%llu",
		    (unsigned long long)s->left_dirty);
	control_farewell(s, warning[0] != '\0' ? warning : NULL);
}
