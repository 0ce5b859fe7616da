/* SPDX-License-Identifier: ISC */
#include "supervisor/find.h"

#include <bsd/string.h>
#include <errno.h>
#include <jansson.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/ctlsock.h"
#include "common/diskname.h"
#include "common/timeutil.h"

#include "supervisor/client.h"
#include "supervisor/mount.h"
#include "supervisor/options.h"

#include "supervisor/guard.h"

#define ANSWER_LIMIT_US (5 * US_PER_S)

struct search {
	const char *dir;
	struct client_target *target;
};

/* Does the disk behind this socket say that it is mounted there? */
static int
try_socket(const char *sock, void *arg)
{
	struct search *find = arg;
	struct ctl_conn c;
	const char *where;
	json_t *reply = NULL;
	char *line;
	int found = 0;

	if (ctl_connect(sock, &c) < 0)
		return (0);
	if (ctl_send(&c, "{\"v\":1,\"cmd\":\"status\"}") == 0 &&
	    ctl_recv(&c, deadline_in_us(ANSWER_LIMIT_US), &line) == 0)
		reply = json_loads(line, 0, NULL);
	where = json_string_value(json_object_get(json_object_get(reply, "data"), "mountPoint"));
	if (where != NULL && strcmp(where, find->dir) == 0) {
		(void)strlcpy(find->target->paths.sock, sock, sizeof(find->target->paths.sock));
		found = 1;
	}
	json_decref(reply);
	ctl_close(&c);
	return (found);
}

/* The option field of the entry for `dir` in /etc/fstab, or NULL; to be freed. */
static char *
fstab_options(const char *dir)
{
	FILE *f = setmntent("/etc/fstab", "re");
	struct mntent *m;
	char *opts = NULL;

	while (f != NULL && opts == NULL && (m = getmntent(f)) != NULL)
		if (strcmp(m->mnt_dir, dir) == 0 && strcmp(m->mnt_type, MOUNT_TYPE) == 0)
			opts = strdup(m->mnt_opts);
	if (f != NULL)
		(void)endmntent(f);
	return (opts);
}

/* runDir as the configuration that was mounted has it; the file may have changed or gone. */
static char *
run_dir_of(const char *config, const char *dir)
{
	struct options opt = {0};
	char *opts = fstab_options(dir), *run_dir = NULL, *error = NULL;
	struct conf *conf = NULL;

	if (opts != NULL)
		(void)options_add(&opt, opts);
	if (conf_load(config, (const char *const *)opt.overrides, &conf, &error) == 0)
		run_dir = strdup(conf->run_dir);
	conf_free(conf);
	free(error);
	free(opt.overrides); /* the strings stay: this is a short-lived client */
	free(opts);
	return (run_dir);
}

int
find_by_mount(const char *dir, struct client_target *ret_target)
{
	struct search find = {.dir = dir, .target = ret_target};
	struct mount_entry e;
	char *run_dir;
	int found = 0;

	if (mount_find(dir, &e) == 0 && strcmp(e.type, MOUNT_TYPE) == 0 &&
	    (run_dir = run_dir_of(e.source, dir)) != NULL) {
		found = disk_each_socket(run_dir, try_socket, &find);
		free(run_dir);
	}
	if (found <= 0)
		found = disk_each_socket(DISK_RUN_DIR, try_socket, &find);
	return (found > 0 ? 0 : -ENOENT);
}
