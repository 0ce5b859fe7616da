/* SPDX-License-Identifier: ISC */
/*
 * cmd_life.c -- the life of a disk that does not run: `info`, `export`, `import`, `copy`, `resize`.
 *
 * s3backerd does the work, in our place (exec): it has uploaders.
 */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "ctl/command.h"

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
		return (exec_daemon(o, command, "--", word, NULL));
	if (n == 1)
		return (exec_daemon(o, command, flag[0], "--", word, NULL));
	return (exec_daemon(o, command, flag[0], flag[1], "--", word, NULL));
}

int
cmd_info(struct ask *a, const struct options *o, char **args)
{
	const char *json = o->json ? "--json" : NULL;
	struct options named = *o;
	char bucket[1200];

	(void)a;
	if (args[0] == NULL)
		return (o->options == NULL ? exec_daemon(o, "info", json, NULL)
					   : exec_daemon(o, "info", "-o", o->options, json, NULL));
	if (o->config != NULL)
		return (wrong_usage("info: -c FILE or BUCKET, not both", ""));
	named.config = "/dev/null";
	(void)strlcpy(bucket, "bucket=", sizeof(bucket));
	(void)strlcat(bucket, args[0], sizeof(bucket));
	if (o->options == NULL)
		return (exec_daemon(&named, "info", "-o", bucket, json, NULL));
	return (exec_daemon(&named, "info", "-o", bucket, "-o", o->options, json, NULL));
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

int
cmd_resize(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	return (hand_on(o, "resize", args[0]));
}
