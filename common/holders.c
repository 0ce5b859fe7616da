/* SPDX-License-Identifier: ISC */
#include "common/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define NAMED_MAX 8 /* more make the line longer, not clearer */

struct answer {
	const char *dir;
	char *buf;
	size_t len, used;
	unsigned named;
};

static void name_one(struct answer *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
name_one(struct answer *a, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (a->named++ >= NAMED_MAX || a->used + 3 >= a->len)
		return;
	if (a->used > 0)
		a->used += (size_t)snprintf(a->buf + a->used, a->len - a->used, ", ");
	va_start(ap, fmt);
	n = vsnprintf(a->buf + a->used, a->len - a->used, fmt, ap);
	va_end(ap);
	a->used = n < 0 || (size_t)n >= a->len - a->used ? a->len - 1 : a->used + (size_t)n;
}

static bool
lies_under(const struct answer *a, const char *path)
{
	size_t n = strlen(a->dir);

	return (strncmp(path, a->dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

static bool
read_line(const char *path, char *buf, size_t len)
{
	AUTO_FILE FILE *f = fopen(path, "re");

	if (f == NULL || fgets(buf, (int)len, f) == NULL)
		return (false);
	buf[strcspn(buf, "\n")] = '\0';
	return (true);
}

/* ---- loop devices --------------------------------------------------------------------------- */

/* Where the device is mounted, if it is: the second word of its line in /proc/mounts. */
static bool
mounted_on(const char *dev, char *where, size_t len)
{
	AUTO_FILE FILE *f = fopen("/proc/self/mounts", "re");
	char source[PATH_MAX], dir[PATH_MAX], line[2 * PATH_MAX];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%4095s %4095s", source, dir) == 2 && strcmp(source, dev) == 0) {
			(void)snprintf(where, len, "%s", dir);
			return (true);
		}
	}
	return (false);
}

static void
look_at_loops(struct answer *a)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[PATH_MAX], backing[PATH_MAX], where[PATH_MAX], dev[NAME_MAX + 8];

		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", e->d_name);
		if (!read_line(path, backing, sizeof(backing)) || !lies_under(a, backing))
			continue;
		(void)snprintf(dev, sizeof(dev), "/dev/%s", e->d_name);
		if (mounted_on(dev, where, sizeof(where)))
			name_one(a, "%s (mounted on %s)", dev, where);
		else
			name_one(a, "%s (losetup -d %s)", dev, dev);
	}
	if (d != NULL)
		closedir(d);
}

/* ---- processes ------------------------------------------------------------------------------ */

static bool
link_lies_under(const struct answer *a, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return (false);
	target[n] = '\0';
	return (lies_under(a, target));
}

static bool
has_open_file(const struct answer *a, const char *proc)
{
	char path[PATH_MAX];
	struct dirent *e;
	bool found = false;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/fd", proc);
	d = opendir(path);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		(void)snprintf(path, sizeof(path), "%s/fd/%s", proc, e->d_name);
		found = link_lies_under(a, path);
	}
	if (d != NULL)
		closedir(d);
	return (found);
}

static bool
has_mapping(const struct answer *a, const char *proc)
{
	char path[PATH_MAX], line[PATH_MAX + 128], *name;
	bool found = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/maps", proc);
	f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		name = strchr(line, '/');
		found = name != NULL && lies_under(a, name);
	}
	if (f != NULL)
		fclose(f);
	return (found);
}

static void
look_at_process(struct answer *a, const char *pid)
{
	char proc[64], path[80], comm[64] = "?";
	bool holds;

	(void)snprintf(proc, sizeof(proc), "/proc/%.20s", pid);
	(void)snprintf(path, sizeof(path), "%s/cwd", proc);
	holds = link_lies_under(a, path);
	(void)snprintf(path, sizeof(path), "%s/root", proc);
	holds = holds || link_lies_under(a, path) || has_open_file(a, proc) || has_mapping(a, proc);
	if (!holds)
		return;
	(void)snprintf(path, sizeof(path), "%s/comm", proc);
	(void)read_line(path, comm, sizeof(comm));
	name_one(a, "%s (pid %s)", comm, pid);
}

void
holders_describe(const char *dir, char *buf, size_t len)
{
	struct answer a = {.dir = dir, .buf = buf, .len = len};
	struct dirent *e;
	DIR *d;

	buf[0] = '\0';
	look_at_loops(&a);
	d = opendir("/proc");
	while (d != NULL && (e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_process(&a, e->d_name);
	if (d != NULL)
		closedir(d);
	if (a.named > NAMED_MAX && a.used + 20 < len)
		(void)snprintf(buf + a.used, len - a.used, " and %u more", a.named - NAMED_MAX);
}
