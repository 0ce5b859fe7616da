/* SPDX-License-Identifier: ISC */
/*
 * each.c -- all calls that take a path, for what is asked of each.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fs/calls/ask.h"

static int
call_chmod(const char *p)
{
	return (chmod(p, 0600));
}
static int
call_chown(const char *p)
{
	return (chown(p, 0, 0));
}
static int
call_lchown(const char *p)
{
	return (lchown(p, 0, 0));
}
static int
call_open(const char *p)
{
	return (closing(open(p, O_RDONLY | O_NONBLOCK)));
}
static int
call_create(const char *p)
{
	return (closing(open(p, O_RDWR | O_CREAT, 0600)));
}
static int
call_opendir(const char *p)
{
	return (closing(open(p, O_RDONLY | O_DIRECTORY)));
}
static int
call_mkdir(const char *p)
{
	return (mkdir(p, 0700));
}
static int
call_mkfifo(const char *p)
{
	return (mkfifo(p, 0600));
}
static int
call_mknod(const char *p)
{
	return (mknod(p, S_IFCHR | 0600, makedev(1, 3)));
}
static int
call_symlink(const char *p)
{
	return (symlink("x", p));
}
int
call_link_from(const char *p)
{
	return (link(p, "linked"));
}
int
call_link_to(const char *p)
{
	return (link("file", p));
}
int
call_rename_from(const char *p)
{
	return (rename(p, "renamed"));
}
int
call_rename_to(const char *p)
{
	return (rename("file", p));
}
static int
call_rmdir(const char *p)
{
	return (rmdir(p));
}
static int
call_unlink(const char *p)
{
	return (unlink(p));
}
static int
call_truncate(const char *p)
{
	return (truncate(p, 100));
}
static int
call_times(const char *p)
{
	return (utimensat(AT_FDCWD, p, NULL, 0));
}
static int
call_readlink(const char *p)
{
	return ((int)readlink(p, (char[9]){0}, 9));
}
static int
call_setxattr(const char *p)
{
	return (setxattr(p, "user.a", "b", 1, 0));
}
static int
call_getxattr(const char *p)
{
	return ((int)getxattr(p, "user.a", (char[9]){0}, 9));
}
static int
call_access(const char *p)
{
	return (faccessat(AT_FDCWD, p, R_OK, AT_EACCESS));
}
static int
call_stat(const char *p)
{
	return (stat(p, &(struct stat){0}));
}
static int
call_lstat(const char *p)
{
	return (lstat(p, &(struct stat){0}));
}

const struct call calls[] = {{"chmod", call_chmod, true, false}, {"chown", call_chown, true, false},
    {"lchown", call_lchown, true, false}, {"open", call_open, false, false},
    {"create", call_create, true, false}, {"opendir", call_opendir, false, false},
    {"mkdir", call_mkdir, true, true}, {"mkfifo", call_mkfifo, true, true},
    {"mknod", call_mknod, true, true}, {"symlink", call_symlink, true, true},
    {"link from", call_link_from, true, false}, {"link to", call_link_to, true, true},
    {"rename from", call_rename_from, true, false}, {"rename to", call_rename_to, true, false},
    {"rmdir", call_rmdir, true, false}, {"unlink", call_unlink, true, false},
    {"truncate", call_truncate, true, false}, {"utimensat", call_times, true, false},
    {"readlink", call_readlink, false, false}, {"setxattr", call_setxattr, true, false},
    {"getxattr", call_getxattr, false, false}, {"access", call_access, false, false},
    {"stat", call_stat, false, false}, {"lstat", call_lstat, false, false}};

const size_t ncalls = COUNT(calls);

void
for_all_calls(int want, const char *path, const char *sentence)
{
	for (size_t i = 0; i < ncalls; i++)
		expect(want, calls[i].run(path), "%s %s", calls[i].name, sentence);
}
