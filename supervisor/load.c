/* SPDX-License-Identifier: ISC */
#include "supervisor/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

#include "supervisor/super.h"

#include "supervisor/guard.h"

void
super_init(struct super *s)
{
	memset(s, 0, sizeof(*s));
	s->pid_fd = s->parent_fd = s->sig_fd = s->mountinfo_fd = -1;
	s->handed.shm = s->handed.cache = s->handed.fuse = s->handed.supbell = -1;
	for (unsigned u = 0; u < IPC_MAX_UPLOADERS; u++)
		s->handed.upbell[u] = -1;
	s->shm.fd = -1;
	s->stop_retry_us = UINT64_MAX;
	TAILQ_INIT(&s->pending);
}

int
super_load(struct super *s)
{
	char *error = NULL;
	int r;

	/* A file that is missing is the configuration's complaint, with the name as it was typed. */
	s->opt.config_real = realpath(s->opt.config, NULL);
	r = conf_load(s->opt.config_real != NULL ? s->opt.config_real : s->opt.config,
	    (const char *const *)s->opt.overrides, &s->conf, &error);
	if (r < 0) {
		(void)fprintf(stderr, "s3backerd: %s\n", error != NULL ? error : strerror(-r));
		free(error);
		return (r);
	}
	free(error);
	r = disk_paths_make(s->opt.config_real, s->conf->run_dir, s->conf->cache_file, &s->paths);
	if (r < 0)
		(void)fprintf(stderr, "s3backerd: %s: the name is too long\n", s->opt.config_real);
	return (r);
}
