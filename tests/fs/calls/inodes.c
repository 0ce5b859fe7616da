/* SPDX-License-Identifier: ISC */
/*
 * inodes.c -- what is asked about what names stand for: owners, modes, times, attributes, flags.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "tests/fs/calls/ask.h"

void
permissions(void)
{
	static const struct {
		const char *name;
		uid_t uid, gid;
		unsigned shift;
	} class[] = {{"owner", ME, OTHER, 6}, {"group", OTHER, ME, 3}, {"other", OTHER, OTHER, 0}};
	static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC};

	made(0, "p");
	must(mkdir("q", 0755) == 0, "directory");
	for (unsigned c = 0; c < COUNT(class); c++)
		for (unsigned bits = 0; bits < 8; bits++) {
			bool r = bits & 4, w = bits & 2, x = bits & 1;

			must(chown("p", class[c].uid, class[c].gid) == 0 &&
				 chmod("p", bits << class[c].shift) == 0 &&
				 chown("q", class[c].uid, class[c].gid) == 0 &&
				 chmod("q", bits << class[c].shift) == 0,
			    "%s has %o", class[c].name, bits);
			become(ME);
			for (unsigned f = 0; f < COUNT(flags); f++) {
				bool may = f == 0 ? r : f == 1 ? w : r && w;

				expect(may ? 0 : EACCES, closing(open("p", flags[f])), "open %o",
				    (unsigned)flags[f]);
			}
			expect(w ? 0 : EACCES, truncate("p", 10), "truncate");
			expect(w || c == 0 ? 0 : EACCES, utimensat(AT_FDCWD, "p", NULL, 0),
			    "set the times to now");
			expect(c == 0 ? 0 : EPERM,
			    utimensat(AT_FDCWD, "p", (struct timespec[2]){{1, 2}, {3, 4}}, 0),
			    "set other times");
			expect(r ? 0 : EACCES, closing(open("q", O_RDONLY | O_DIRECTORY)),
			    "read the directory");
			expect(w && x ? 0 : EACCES, mkdir("q/x", 0755), "mkdir in it");
			expect(x ? (w ? 0 : ENOENT) : EACCES, lstat("q/x", &(struct stat){0}),
			    "search in it");
			if (w && x)
				expect(0, rmdir("q/x"), "rmdir in it");
			become(0);
		}
	must(unlink("p") == 0 && rmdir("q") == 0, "gone");
}

void
modes(void)
{
	for (unsigned t = 0; t < TYPES - 1; t++) {
		struct stat st;

		made(t, "m");
		must(lchown("m", ME, ME) == 0, "%s", type_name[t]);
		st = look("m");
		tick();
		for (mode_t m = 0; m <= 07777; m = m * 8 + 5) {
			expect(0, chmod("m", m), "chmod %o", m);
			must((look("m").st_mode & 07777) == m, "it has it");
		}
		must(later(st.st_ctim, look("m").st_ctim), "its ctime has changed");
		become(OTHER);
		expect(EPERM, chmod("m", 0700), "chmod of somebody else's");
		expect(EPERM, chown("m", OTHER, OTHER), "chown of somebody else's");
		become(ME);
		expect(0, chmod("m", 06711), "chmod of mine");
		expect(EPERM, chown("m", OTHER, (gid_t)-1), "giving it away");
		expect(EPERM, chown("m", (uid_t)-1, OTHER), "to a group that is not mine");
		expect(0, chown("m", (uid_t)-1, ME), "to a group that is mine");
		says(0, "mode %o", look("m").st_mode & 07777);
		become(0);
		must(chmod("m", 06711) == 0, "chmod");
		expect(0, chown("m", OTHER, OTHER), "chown by root");
		says(0, "mode %o", look("m").st_mode & 07777);
		expect(0, destroy("m"), "gone");
	}
	/* Who writes a program takes its privileges. */
	made(0, "m");
	must(chown("m", ME, ME) == 0 && chmod("m", 06777) == 0, "a program");
	become(OTHER);
	expect(0, truncate("m", 5), "truncate by another user");
	must((look("m").st_mode & 07777) == 0777, "no setuid now");
	become(0);
	must(unlink("m") == 0, "gone");
}

void
times(void)
{
	static const long long secs[] = {0, 1, -1, 1234567890, INT32_MAX, (long long)INT32_MAX + 1,
	    UINT32_MAX, (long long)UINT32_MAX + 1, 15032385535, 15032385536, INT32_MIN,
	    (long long)INT32_MIN - 1};
	struct stat st;

	for (unsigned t = 0; t < TYPES; t++) {
		made(t, "t");
		for (unsigned i = 0; i < COUNT(secs); i++) {
			struct timespec ts[2] = {{secs[i], 123456789}, {secs[i], 987654321}};

			expect(0, utimensat(AT_FDCWD, "t", ts, AT_SYMLINK_NOFOLLOW),
			    "%s: times %lld", type_name[t], secs[i]);
			st = look("t");
			says(0, "are %lld.%09ld %lld.%09ld", (long long)st.st_atim.tv_sec,
			    st.st_atim.tv_nsec, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		}
		expect(0,
		    utimensat(AT_FDCWD, "t", (struct timespec[2]){{7, UTIME_OMIT}, {8, 9}},
			AT_SYMLINK_NOFOLLOW),
		    "one of them");
		must(look("t").st_mtim.tv_sec == 8 && look("t").st_mtim.tv_nsec == 9, "set");
		must(look("t").st_atim.tv_sec == st.st_atim.tv_sec, "the other not");
		expect(EINVAL,
		    utimensat(AT_FDCWD, "t", (struct timespec[2]){{7, 1000000000}, {8, 9}},
			AT_SYMLINK_NOFOLLOW),
		    "too many nanoseconds");
		expect(0, destroy("t"), "gone");
	}
}

/* ---- contents, attributes, flags ------------------------------------------------------------ */

void
opening(void)
{
	for (unsigned t = 0; t < TYPES; t++) {
		int fd;

		made(t, "o");
		says(
		    closing(open("o", O_RDONLY | O_NONBLOCK)), "open %s for reading", type_name[t]);
		says(closing(open("o", O_WRONLY | O_NONBLOCK)), "for writing");
		says(closing(open("o", O_WRONLY | O_NOFOLLOW | O_NONBLOCK)), "not following");
		expect(t == DIRECTORY ? 0 : ENOTDIR,
		    closing(open("o", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), "as a directory");
		says(truncate("o", 77), "truncate");
		says(truncate("o", -1), "truncate to less than nothing");
		says(truncate("o", INT64_MAX), "truncate to all there is");
		says(truncate("o", 77), "truncate again");
		says((int)look("o").st_size * (t == 0 || t == SYMLINK), "size %lld",
		    t == 0 || t == SYMLINK ? (long long)look("o").st_size : 0);
		fd = open("o", O_PATH | O_NOFOLLOW);
		expect(EBADF, ftruncate(fd, 1), "ftruncate of a path");
		(void)close(fd);
		expect(0, destroy("o"), "gone");
		(void)destroy("nowhere");
	}
	for (size_t len = 1; len <= 4096; len = len * 2 - (len == 2048)) {
		char target[PATH_MAX + 1], got[PATH_MAX + 1];
		int made_it;

		memset(target, 't', len);
		target[len] = '\0';
		made_it = symlink(target, "l");
		says(made_it, "symlink with a target of %zu", len);
		if (made_it == 0) {
			must(readlink("l", got, sizeof(got)) == (ssize_t)len &&
				 memcmp(got, target, len) == 0,
			    "it is what it was");
			must(unlink("l") == 0, "gone");
		}
		if (len == 4095)
			break;
	}
}

void
attributes(void)
{
	static const char *const prefix[] = {"user.", "trusted.", "security.", "system.", "none."};
	static char value[70000], got[70000];

	memset(value, 'v', sizeof(value));
	for (unsigned t = 0; t < TYPES; t++) {
		made(t, "x");
		for (unsigned p = 0; p < COUNT(prefix); p++) {
			char key[300];

			(void)snprintf(key, sizeof(key), "%skey", prefix[p]);
			says(lsetxattr("x", key, value, 5, XATTR_REPLACE), "%s: replace %s",
			    type_name[t], key);
			says(lsetxattr("x", key, value, 5, XATTR_CREATE), "create");
			says(lsetxattr("x", key, value, 50, XATTR_CREATE), "create again");
			says(lsetxattr("x", key, value, 0, 0), "set to nothing");
			says(lsetxattr("x", key, value, 1000, 0), "set to 1000");
			says((int)lgetxattr("x", key, got, 5), "get with too little room");
			says((int)lgetxattr("x", key, got, sizeof(got)), "get");
			(void)snprintf(key, sizeof(key), "%s%.*s", prefix[p], 255, long_name);
			says(lsetxattr("x", key, value, 5, 0), "a name of 255 and more");
			key[255] = '\0';
			says(lsetxattr("x", key, value, 5, 0), "a name of 255");
			says(lremovexattr("x", key), "remove");
			says(lremovexattr("x", key), "remove again");
		}
		for (size_t len = 1024; len <= 65536 + 1; len = len == 65536 ? len + 1 : len * 2)
			says(lsetxattr("x", "trusted.big", value, len, 0), "trusted.big of %zu",
			    len);
		says(0, "all names: %zd bytes", llistxattr("x", got, sizeof(got)));
		expect(0, destroy("x"), "gone");
	}
}

static void
set_flags(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	says(fd < 0 ? fd : ioctl(fd, FS_IOC_SETFLAGS, &flags), "flags %x of %s", flags, path);
	(void)close(fd);
}

void
flags(void)
{
	static const int flag[] = {FS_IMMUTABLE_FL, FS_APPEND_FL};

	for (unsigned f = 0; f < COUNT(flag); f++) {
		must(mkdir("f", 0755) == 0, "directory");
		made(0, "f/x");
		set_flags("f/x", flag[f]);
		for (size_t i = 0; i < ncalls; i++)
			if (calls[i].changes && !calls[i].creates && calls[i].run != call_rename_to)
				says(calls[i].run("f/x"), "%s of it", calls[i].name);
		says(closing(open("f/x", O_WRONLY)), "open");
		says(closing(open("f/x", O_WRONLY | O_APPEND)), "open to append");
		set_flags("f/x", 0);
		set_flags("f", flag[f]);
		says(create(0, "f/y"), "create below");
		expect(EPERM, unlink("f/x"), "unlink below");
		expect(EPERM, rename("f/x", "f/z"), "rename below");
		set_flags("f", 0);
		(void)unlink("f/x"), (void)unlink("f/y"), (void)unlink("linked");
		expect(0, rmdir("f"), "rmdir");
	}
}

/* A view of the same files that may not be written. */
void
read_only(void)
{
	if (mkdir("real", 0755) < 0 || mkdir("view", 0755) < 0)
		err(1, "mkdir");
	made(0, "real/x");
	if (mount("real", "view", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "view", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		err(1, "bind mount");
	for (size_t i = 0; i < ncalls; i++) {
		const struct call *c = &calls[i];

		if (!c->changes || c->run == call_link_to || c->run == call_rename_to ||
		    c->run == call_link_from || c->run == call_rename_from)
			continue;
		says(c->run(c->creates ? "view/new" : "view/x"), "%s, read-only", c->name);
	}
	expect(EROFS, closing(open("view/x", O_RDWR)), "open to write");
	expect(EROFS, rename("view/x", "view/y"), "rename");
	expect(EROFS, link("view/x", "view/y"), "link");
	expect(EXDEV, rename("real/x", "view/y"), "rename across");
	expect(0, closing(open("view/x", O_RDONLY)), "open to read");
	expect(0, umount2("view", MNT_DETACH), "umount");
	must(unlink("real/x") == 0 && rmdir("real") == 0 && rmdir("view") == 0, "gone");
}
