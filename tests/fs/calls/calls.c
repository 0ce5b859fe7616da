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
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fs/calls/ask.h"

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
