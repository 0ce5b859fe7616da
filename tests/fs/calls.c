/* SPDX-License-Identifier: ISC */
/*
 * calls.c -- what each call on names must answer: what pjdfstest asks.
 *
 *	calls DIRECTORY
 *
 * TAP without numbers, a line for each question, the same on every run: "ok - ..." where POSIX or the
 * manual pages say what the answer is, and "says - ... ANSWER" where file systems differ; two of one kind
 * must not.  DIRECTORY is on the file system in question, and empty; needs root.
 *
 * Process, threads: one; it takes other user ids for single calls.
 * Exit: 0, 1 a wrong answer.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define ME	 1001 /* users that are not root */
#define OTHER	 1002
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int bad;

/* ---- asking ------------------------------------------------------------------------------- */

static const char *
name_of(int result)
{
	return (result >= 0 ? "0" : strerrorname_np(errno));
}

/* want: 0 or an errno */
static void expect(int want, int result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void
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

static void must(bool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
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

static void says(int result, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void
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

static void
become(uid_t uid)
{
	if (seteuid(0) < 0 || setegid(uid) < 0 || setgroups(0, NULL) < 0 || seteuid(uid) < 0)
		err(1, "uid %u", uid);
}

static int
closing(int fd)
{
	int error = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = error;
	return (fd);
}

/* ---- things that have names --------------------------------------------------------------- */

static const char *const type_name[] = {
    "regular", "directory", "fifo", "block", "char", "socket", "symlink"};
#define TYPES	  COUNT(type_name)
#define DIRECTORY 1
#define CHAR	  4 /* /dev/null; the block device is none at all */
#define SYMLINK	  6
static const mode_t type_mode[] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFBLK, S_IFCHR, S_IFSOCK, S_IFLNK};

static int
create(unsigned type, const char *path)
{
	if (type == DIRECTORY)
		return (mkdir(path, 0755));
	if (type == SYMLINK)
		return (symlink("nowhere", path));
	return (mknod(path, type_mode[type] | 0644, type == CHAR ? makedev(1, 3) : 0));
}

static void
made(unsigned type, const char *path)
{
	if (create(type, path) < 0)
		err(1, "%s %s", type_name[type], path);
}

static int
destroy(const char *path)
{
	return (unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1);
}

static struct stat
look(const char *path)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	(void)lstat(path, &st);
	return (st);
}

/* Until the clock that stamps files has gone on. */
static void
tick(void)
{
	struct timespec a, b;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &a);
	do
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &b);
	while (a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec);
}

static bool
later(struct timespec a, struct timespec b)
{
	return (b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec > a.tv_nsec));
}

/* ---- all calls that take a path ------------------------------------------------------------ */

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
static int
call_link_from(const char *p)
{
	return (link(p, "linked"));
}
static int
call_link_to(const char *p)
{
	return (link("file", p));
}
static int
call_rename_from(const char *p)
{
	return (rename(p, "renamed"));
}
static int
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

static const struct call {
	const char *name;
	int (*run)(const char *path);
	bool changes; /* something, so not on a read-only file system */
	bool creates; /* a name, so there must be none yet */
} calls[] = {{"chmod", call_chmod, true, false}, {"chown", call_chown, true, false},
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

static void
for_all_calls(int want, const char *path, const char *sentence)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		expect(want, calls[i].run(path), "%s %s", calls[i].name, sentence);
}

static char long_name[NAME_MAX + 2], long_path[PATH_MAX + 2];

static void
paths(void)
{
	char path[64], sentence[64];

	made(0, "file");
	for (unsigned t = 0; t < TYPES - 1; t++) {
		if (t == DIRECTORY)
			continue;
		made(t, "thing");
		(void)snprintf(sentence, sizeof(sentence), "below a %s", type_name[t]);
		for_all_calls(ENOTDIR, "thing/x", sentence);
		(void)destroy("thing");
	}
	for_all_calls(ENOENT, "missing/x", "below what is not there");
	for_all_calls(ENOENT, "", "without a name");
	must(symlink("b", "a") == 0 && symlink("a", "b") == 0, "a circle of links");
	for_all_calls(ELOOP, "a/x", "below a circle of links");
	memset(long_name, 'n', sizeof(long_name) - 1);
	for_all_calls(ENAMETOOLONG, long_name, "of a name of 256");
	memset(long_path, 'p', sizeof(long_path) - 1);
	for (size_t i = 1; i < sizeof(long_path) - 1; i += 2)
		long_path[i] = '/';
	for_all_calls(ENAMETOOLONG, long_path, "of a path of 4097");
	long_name[NAME_MAX] = '\0';
	for (unsigned t = 0; t < TYPES; t++) {
		expect(0, create(t, long_name), "%s with a name of 255", type_name[t]);
		expect(0, destroy(long_name), "and gone");
	}
	/* A directory that may not be searched, and one that may not be written. */
	must(mkdir("shut", 0700) == 0 && mkdir("shut/dir", 0777) == 0, "directories");
	made(0, "shut/dir/x");
	become(ME);
	for_all_calls(EACCES, "shut/dir/x", "below a directory that must not be searched");
	become(0);
	must(chmod("shut", 0755) == 0 && chmod("shut/dir", 0755) == 0 && chmod(".", 0777) == 0,
	    "read and search, not write");
	become(ME);
	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].creates) {
			(void)snprintf(path, sizeof(path), "shut/dir/%zu", i);
			says(calls[i].run(path), "%s in a directory that must not be written",
			    calls[i].name);
		}
	expect(EACCES, unlink("shut/dir/x"), "unlink in it");
	expect(EACCES, rename("shut/dir/x", "here"), "rename out of it");
	become(0);
}

/* ---- kinds and what they do ---------------------------------------------------------------- */

static void
creating(void)
{
	made(0, "file");
	for (unsigned t = 0; t < TYPES; t++) {
		struct stat dir, st;

		must(mkdir("d", 0755) == 0 && chown("d", ME, OTHER) == 0, "directory");
		dir = look("d");
		tick();
		expect(0, create(t, "d/new"), "create %s", type_name[t]);
		st = look("d/new");
		must((st.st_mode & S_IFMT) == type_mode[t], "it is one");
		must(later(dir.st_mtim, look("d").st_mtim) && later(dir.st_ctim, look("d").st_ctim),
		    "the directory has changed");
		must(st.st_uid == 0 && st.st_gid == 0, "it is mine");
		says((int)st.st_nlink * 0, "links %lu, of the directory %lu",
		    (unsigned long)st.st_nlink, (unsigned long)look("d").st_nlink);
		for (size_t i = 0; i < COUNT(calls); i++)
			if (calls[i].creates)
				expect(EEXIST, calls[i].run("d/new"), "%s where a %s is",
				    calls[i].name, type_name[t]);
		expect(EEXIST, closing(open("d/new", O_CREAT | O_EXCL | O_RDWR, 0600)),
		    "open exclusively where a %s is", type_name[t]);
		dir = look("d");
		tick();
		expect(t == DIRECTORY ? EISDIR : 0, unlink("d/new"), "unlink %s", type_name[t]);
		expect(t == DIRECTORY ? 0 : ENOENT, rmdir("d/new"), "rmdir");
		must(later(dir.st_mtim, look("d").st_mtim), "the directory has changed");
		expect(ENOENT, lstat("d/new", &st), "lstat");
		/* A directory with the group bit gives its group. */
		must(chmod("d", 02777) == 0, "setgid");
		become(ME);
		says(create(t, "d/new"), "create %s", type_name[t]);
		become(0);
		if (look("d/new").st_mode != 0)
			must(look("d/new").st_gid == OTHER, "the group of the directory");
		(void)destroy("d/new");
		expect(0, rmdir("d"), "rmdir");
	}
}

static void
linking(void)
{
	for (unsigned t = 0; t < TYPES; t++) {
		struct stat st;

		made(t, "one");
		st = look("one");
		tick();
		expect(
		    t == DIRECTORY ? EPERM : 0, link("one", "two"), "link to a %s", type_name[t]);
		if (t != DIRECTORY) {
			must(look("two").st_nlink == 2 && look("two").st_ino == st.st_ino,
			    "two names of one");
			must(later(st.st_ctim, look("one").st_ctim), "its ctime has changed");
			expect(0, rename("one", "two"), "rename to its other name");
			must(look("one").st_nlink == 2, "does nothing");
			expect(0, lchown("two", ME, OTHER), "chown of one");
			must(look("one").st_uid == ME, "is one of the other");
			expect(0, unlink("one"), "unlink one");
			must(look("two").st_nlink == 1, "one left");
			expect(0, unlink("two"), "unlink the other");
		} else {
			expect(0, rmdir("one"), "rmdir");
		}
	}
}

static void
renaming(void)
{
	for (unsigned a = 0; a < TYPES; a++)
		for (unsigned b = 0; b < TYPES; b++) {
			bool from = a == DIRECTORY, to = b == DIRECTORY;
			struct stat st;
			int want = from == to ? 0 : from ? ENOTDIR : EISDIR;

			made(a, "from");
			made(b, "to");
			st = look("from");
			expect(want, rename("from", "to"), "rename %s over %s", type_name[a],
			    type_name[b]);
			must(look(want == 0 ? "to" : "from").st_ino == st.st_ino,
			    "it is where it must be");
			expect(want == 0 ? ENOENT : EEXIST,
			    renameat2(AT_FDCWD, "from", AT_FDCWD, "to", RENAME_NOREPLACE),
			    "rename, but replace nothing");
			(void)destroy("from");
			if (look("from").st_mode == 0)
				made(a, "from");
			st = look("from");
			expect(0, renameat2(AT_FDCWD, "from", AT_FDCWD, "to", RENAME_EXCHANGE),
			    "exchange");
			must(look("to").st_ino == st.st_ino, "exchanged");
			must(destroy("from") == 0 && destroy("to") == 0, "gone");
		}
	must(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("b/c", 0755) == 0,
	    "directories");
	for (unsigned t = 0; t < TYPES; t++) {
		made(t, "a/x");
		says(rename("b", "a"), "rename over a directory with a %s in it", type_name[t]);
		expect(ENOTEMPTY, rmdir("a"), "rmdir of a directory with a %s in it", type_name[t]);
		expect(t == DIRECTORY ? 0 : ENOTDIR, rmdir("a/x"), "rmdir of a %s", type_name[t]);
		(void)destroy("a/x");
	}
	expect(EINVAL, rename("b", "b/c/d"), "rename below itself");
	expect(EINVAL, rename("b", "b/c"), "rename over what is below itself");
	expect(ENOTEMPTY, rename("b/c", "b"), "rename over what is above itself");
	expect(EBUSY, rename("b/.", "z"), "rename .");
	expect(EINVAL, rmdir("b/c/."), "rmdir .");
	expect(ENOTEMPTY, rmdir("b/c/.."), "rmdir ..");
	expect(0, rename("b/c", "a/c"), "rename into another directory");
	says(0, "links %lu and %lu", (unsigned long)look("a").st_nlink,
	    (unsigned long)look("b").st_nlink);
	expect(0, rmdir("b"), "rmdir");
	expect(0, rmdir("a/c"), "rmdir");
	expect(0, rmdir("a"), "rmdir");
}

/* Who may take a name away from a sticky directory: who owns the directory or the file. */
static void
sticky(void)
{
	static const uid_t owners[] = {ME, OTHER};

	for (unsigned t = 0; t < TYPES; t++)
		for (unsigned i = 0; i < 4; i++) {
			uid_t dir = owners[i / 2], file = owners[i % 2];
			int want = dir == ME || file == ME ? 0 : EPERM;

			must(mkdir("s", 0777) == 0 && chmod("s", 01777) == 0 &&
				 chown("s", dir, dir) == 0,
			    "sticky directory of %u, %s of %u", dir, type_name[t], file);
			made(t, "s/x");
			made(t, "s/y");
			must(lchown("s/x", file, file) == 0 && lchown("s/y", file, file) == 0,
			    "chown");
			become(ME);
			expect(want, t == DIRECTORY ? rmdir("s/y") : unlink("s/y"), "remove");
			become(0);
			(void)create(t, "s/y");
			if (lchown("s/y", file, file) < 0)
				err(1, "lchown");
			become(ME);
			/* Of a directory of somebody else the name .. cannot be changed. */
			says(rename("s/x", "s/y"), "rename over");
			says(rename("s/y", "s/z"), "rename from");
			become(0);
			(void)destroy("s/x"), (void)destroy("s/y"), (void)destroy("s/z");
			expect(0, rmdir("s"), "rmdir");
		}
}

/* ---- modes, owners, times ------------------------------------------------------------------- */

static void
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

static void
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

static void
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

static void
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

static void
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

static void
flags(void)
{
	static const int flag[] = {FS_IMMUTABLE_FL, FS_APPEND_FL};

	for (unsigned f = 0; f < COUNT(flag); f++) {
		must(mkdir("f", 0755) == 0, "directory");
		made(0, "f/x");
		set_flags("f/x", flag[f]);
		for (size_t i = 0; i < COUNT(calls); i++)
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
static void
read_only(void)
{
	if (mkdir("real", 0755) < 0 || mkdir("view", 0755) < 0)
		err(1, "mkdir");
	made(0, "real/x");
	if (mount("real", "view", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "view", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
		err(1, "bind mount");
	for (size_t i = 0; i < COUNT(calls); i++) {
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

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*ask)(void);
	} parts[] = {{"paths", paths}, {"creating", creating}, {"linking", linking},
	    {"renaming", renaming}, {"sticky", sticky}, {"permissions", permissions},
	    {"modes", modes}, {"times", times}, {"opening", opening}, {"attributes", attributes},
	    {"flags", flags}, {"read-only", read_only}};

	if (argc != 2)
		errx(2, "usage: calls DIRECTORY");
	if (chdir(argv[1]) < 0)
		err(1, "%s", argv[1]);
	(void)umask(0);
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (mkdir(parts[i].name, 0777) < 0 || chdir(parts[i].name) < 0)
			err(1, "%s", parts[i].name);
		printf("# %s\n", parts[i].name);
		parts[i].ask();
		if (chdir("..") < 0)
			err(1, "..");
	}
	return (bad || fflush(stdout) != 0);
}
