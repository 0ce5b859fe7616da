/* SPDX-License-Identifier: ISC */
/*
 * conf_files.h -- an empty directory, and a configuration file t.conf in it.
 */
#ifndef S3B_TESTS_CONF_FILES_H
#define S3B_TESTS_CONF_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/conf.h"
#include "tests/unit/tap.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

static char dir[PATH_MAX];

static void
put_file(const char *name, const char *text, mode_t mode)
{
	AUTO_FD int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode))
		ok(0, "cannot write %s: %s", name, strerror(errno));
}

static struct conf *
load(const char *text, const char *const *overrides, char **ret_error)
{
	struct conf *conf = NULL;

	put_file("t.conf", text, 0600);
	free(*ret_error);
	*ret_error = NULL;
	if (conf_load("t.conf", overrides, &conf, ret_error) < 0)
		return (NULL);
	return (conf);
}

static void
enter_directory(void)
{
	char template[] = "/tmp/s3b-test-conf.XXXXXX";

	if (mkdtemp(template) == NULL || chdir(template) != 0 || getcwd(dir, sizeof(dir)) == NULL)
		exit(EXIT_FAILURE);
	/* No keys of whoever runs the test. */
	setenv("HOME", dir, 1);
}

static void
leave_directory(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	if (chdir("/") != 0 || system(command) != 0)
		exit(EXIT_FAILURE);
}

#endif
