/* SPDX-License-Identifier: ISC */
/*
 * cmd_daemon.c -- what s3backerd does for a disk that does not run here: it has uploaders, and so
 * the network and the keys.  `mounted-flag`, `reset-mounted-flag`,
 * `probe`, `erase`, `rekey`.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"

#include "ctl/guard.h"

#define WORDS_MAX 8

int
exec_daemon(const struct options *o, const char *command, ...)
{
	char path[PATH_MAX], self[PATH_MAX], name[] = "s3backerd", dash_c[] = "-c";
	char *argv[WORDS_MAX + 5] = {name, dash_c};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned argc = 2;
	const char *word;
	va_list ap;

	if (o->config == NULL)
		return (wrong_usage(command, ": -c FILE is missing"));
	argv[argc++] = strdup(o->config);
	argv[argc++] = strdup(command);
	va_start(ap, command);
	while ((word = va_arg(ap, const char *)) != NULL && argc < WORDS_MAX + 4)
		argv[argc++] = strdup(word);
	va_end(ap);
	if (n > 0) {
		self[n] = '\0';
		(void)snprintf(path, sizeof(path), "%s/s3backerd", dirname(self));
		(void)execv(path, argv);
	}
	(void)execvp("s3backerd", argv);
	(void)fprintf(stderr, "s3backerctl: s3backerd: %s\n", strerror(errno));
	return (EXIT_FAILED);
}

int
cmd_mounted_flag(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	return (exec_daemon(o, "mounted-flag", (char *)NULL));
}

int
cmd_reset_mounted_flag(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	return (exec_daemon(o, "reset-mounted-flag", (char *)NULL));
}

int
cmd_probe(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	return (exec_daemon(o, "probe", o->json ? "--json" : NULL, (char *)NULL));
}

int
cmd_erase(struct ask *a, const struct options *o, char **args)
{
	(void)a;
	(void)args;
	return (exec_daemon(o, "erase", o->force ? "--force" : NULL, (char *)NULL));
}

int
cmd_rekey(struct ask *a, const struct options *o, char **args)
{
	char word[PATH_MAX + 32];

	(void)a;
	if (args[0] == NULL)
		return (exec_daemon(o, "rekey", (char *)NULL));
	(void)snprintf(word, sizeof(word), "--new-password=%s", args[0]);
	return (exec_daemon(o, "rekey", word, (char *)NULL));
}
