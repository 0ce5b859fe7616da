/* SPDX-License-Identifier: ISC */
#include "common/diskname.h"

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return (n > m && strcmp(s + n - m, suffix) == 0);
}

int
disk_paths_make(
    const char *config, const char *run_dir, const char *cache_file, struct disk_paths *ret_paths)
{
	const char *base = strrchr(config, '/');
	struct disk_paths p = {0};
	int n;

	base = base != NULL ? base + 1 : config;
	if (strlcpy(p.name, base, sizeof(p.name)) >= sizeof(p.name))
		return (-ENAMETOOLONG);
	if (has_suffix(p.name, ".conf"))
		p.name[strlen(p.name) - strlen(".conf")] = '\0';
	n = snprintf(p.sock, sizeof(p.sock), "%s/%s" DISK_SOCK_SUFFIX, run_dir, p.name);
	if (n < 0 || (size_t)n >= sizeof(p.sock))
		return (-ENAMETOOLONG);
	n = snprintf(p.pid, sizeof(p.pid), "%s/%s.pid", run_dir, p.name);
	if (n < 0 || (size_t)n >= sizeof(p.pid))
		return (-ENAMETOOLONG);
	if (cache_file != NULL)
		n = snprintf(p.state, sizeof(p.state), "%s.state", cache_file);
	else
		n = snprintf(p.state, sizeof(p.state), "%s/%s.state", run_dir, p.name);
	if (n < 0 || (size_t)n >= sizeof(p.state))
		return (-ENAMETOOLONG);
	*ret_paths = p;
	return (0);
}

static int
is_socket_name(const struct dirent *d)
{
	return (has_suffix(d->d_name, DISK_SOCK_SUFFIX));
}

int
disk_each_socket(const char *run_dir, int (*each)(const char *sock, void *arg), void *arg)
{
	struct dirent **list = NULL;
	char path[108];
	int n = scandir(run_dir, &list, is_socket_name, alphasort), r = 0;

	if (n < 0)
		return (-errno);
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", run_dir, list[i]->d_name);

		if (r == 0 && len > 0 && (size_t)len < sizeof(path))
			r = each(path, arg);
		free(list[i]);
	}
	free(list);
	return (r);
}
