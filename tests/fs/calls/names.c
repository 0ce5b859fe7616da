/* SPDX-License-Identifier: ISC */
/*
 * names.c -- what is asked about names: paths, creating, linking, renaming, sticky directories.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/fs/calls/ask.h"

char long_name[NAME_MAX + 2];
static char long_path[PATH_MAX + 2];

void
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
	for (size_t i = 0; i < ncalls; i++)
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

void
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
		for (size_t i = 0; i < ncalls; i++)
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

void
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

void
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
void
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
