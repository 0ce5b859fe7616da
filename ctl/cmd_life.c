/* SPDX-License-Identifier: ISC */
/*
 * cmd_life.c -- the life of a disk: `info`, `export`, `import`, `copy`, `resize`.
 *
 * s3backerd does the work, in our place (exec): it has uploaders.  Only `resize` of a disk that runs is a
 * question to that.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bsd/string.h>

#include "common/bar.h"

#include "ctl/command.h"
#include "ctl/loopdev.h"

#include "ctl/guard.h"

/* `word` comes behind "--": it may begin with a dash. */
static int
hand_on(const struct options *o, const char *command, const char *word)
{
	const char *flag[2] = {NULL, NULL};
	unsigned n = 0;

	if (o->force)
		flag[n++] = "--force";
	if (o->json)
		flag[n++] = "--json";
	if (n == 0)
		return (exec_daemon(o, command, "--", word, (char *)NULL));
	if (n == 1)
		return (exec_daemon(o, command, flag[0], "--", word, (char *)NULL));
	return (exec_daemon(o, command, flag[0], flag[1], "--", word, (char *)NULL));
}

int
cmd_info(struct ask *a, const struct options *o, char **args)
{
	const char *json = o->json ? "--json" : NULL;
	struct options named = *o;
	char bucket[1200];

	(void)a;
	if (args[0] == NULL)
		return (o->options == NULL
			    ? exec_daemon(o, "info", json, (char *)NULL)
			    : exec_daemon(o, "info", "-o", o->options, json, (char *)NULL));
	if (o->config != NULL)
		return (wrong_usage("info: -c FILE or BUCKET, not both", ""));
	named.config = "/dev/null";
	(void)strlcpy(bucket, "bucket=", sizeof(bucket));
	(void)strlcat(bucket, args[0], sizeof(bucket));
	if (o->options == NULL)
		return (exec_daemon(&named, "info", "-o", bucket, json, (char *)NULL));
	return (exec_daemon(&named, "info", "-o", bucket, "-o", o->options, json, (char *)NULL));
}

int
cmd_export(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	return (hand_on(o, "export", args[0]));
}

int
cmd_import(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	return (hand_on(o, "import", args[0]));
}

int
cmd_copy(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	return (hand_on(o, "copy", args[0]));
}

/* Of what is mounted on it, the system does not know yet. */
static void
show_next_steps(const char *file)
{
	char dev[32], at[PATH_MAX] = "", type[64] = "";

	if (loopdev_find(file, dev) < 0)
		return;
	(void)printf("next: losetup -c %s", dev);
	if (attach_find(dev, at, type) && strcmp(type, "ext4") == 0)
		(void)printf(" && resize2fs %s", dev);
	else if (strcmp(type, "xfs") == 0)
		(void)printf(" && xfs_growfs %s", at);
	else if (strcmp(type, "btrfs") == 0)
		(void)printf(" && btrfs filesystem resize max %s", at);
	(void)putchar('\n');
}

/* A disk that runs: it grows under those who use it. */
static int
resize_running(struct ask *a, const char *size)
{
	json_t *data;
	struct statx st;
	const char *file;
	char text[24];
	int code = ask_run(a, json_pack("{s:s, s:s}", "cmd", "resize", "size", size), &data);

	file = json_string_value(json_object_get(data, "file"));
	if (code == EXIT_DONE && file != NULL) {
		/* The kernel believes what it has cached of the file until it is made to ask. */
		if (statx(AT_FDCWD, file, AT_STATX_FORCE_SYNC, STATX_SIZE, &st) < 0)
			st.stx_size = (uint64_t)json_integer_value(json_object_get(data, "size"));
		if (a->json) {
			put_json(data);
		} else {
			(void)printf("%s: %s\n", file, bar_bytes(st.stx_size, text));
			show_next_steps(file);
		}
	}
	json_decref(data);
	return (code);
}

int
cmd_resize(struct ask *a, const struct options *o, char **args)
{
	int code = ask_find(a, o->config, o->sock);

	if (code == EXIT_DONE && ctl_connect(a->sock, &a->conn) == 0)
		return (resize_running(a, args[0]));
	if (o->config == NULL)
		return (code != EXIT_DONE ? code : wrong_usage("resize: -c FILE is missing", ""));
	return (hand_on(o, "resize", args[0]));
}
