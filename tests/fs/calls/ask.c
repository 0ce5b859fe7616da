/* SPDX-License-Identifier: ISC */
#include "tests/fs/calls/ask.h"

#include <err.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define OTHER	 1002
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int bad;

/* ---- asking ------------------------------------------------------------------------------- */

static const char *
name_of(int result)
{
	return (result >= 0 ? "0" : strerrorname_np(errno));
}

/* want: 0 or an errno */
void
expect(int want, int result, const char *fmt, ...)
{
	const char *got = name_of(result), *wanted = want == 0 ? "0" : strerrorname_np(want);
	bool fine = strcmp(got, wanted) == 0;
	va_list args;

	printf("%s - ", fine ? "ok" : "not ok");
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf(fine ? ": %s\n" : ": %s, must be %s\n", got, wanted);
	bad |= !fine;
}

void
must(bool fine, const char *fmt, ...)
{
	va_list args;

	printf("%s - ", fine ? "ok" : "not ok");
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf("\n");
	bad |= !fine;
}

void
says(int result, const char *fmt, ...)
{
	const char *got = name_of(result);
	va_list args;

	printf("says - ");
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", got);
}

void
become(uid_t uid)
{
	if (seteuid(0) < 0 || setegid(uid) < 0 || setgroups(0, NULL) < 0 || seteuid(uid) < 0)
		err(1, "uid %u", uid);
}

int
closing(int fd)
{
	int error = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = error;
	return (fd);
}

/* ---- things that have names --------------------------------------------------------------- */

const char *const type_name[TYPES] = {
    "regular", "directory", "fifo", "block", "char", "socket", "symlink"};
const mode_t type_mode[TYPES] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFBLK, S_IFCHR, S_IFSOCK, S_IFLNK};

int
create(unsigned type, const char *path)
{
	if (type == DIRECTORY)
		return (mkdir(path, 0755));
	if (type == SYMLINK)
		return (symlink("nowhere", path));
	return (mknod(path, type_mode[type] | 0644, type == CHAR ? makedev(1, 3) : 0));
}

void
made(unsigned type, const char *path)
{
	if (create(type, path) < 0)
		err(1, "%s %s", type_name[type], path);
}

int
destroy(const char *path)
{
	return (unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1);
}

struct stat
look(const char *path)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	(void)lstat(path, &st);
	return (st);
}

/* Until the clock that stamps files has gone on. */
void
tick(void)
{
	struct timespec a, b;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &a);
	do
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &b);
	while (a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec);
}

bool
later(struct timespec a, struct timespec b)
{
	return (b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec > a.tv_nsec));
}

/* ---- all calls that take a path ------------------------------------------------------------ */
