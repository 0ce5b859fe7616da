/* SPDX-License-Identifier: ISC */
/*
 * ask.h -- questions, answers, and things that have names: what the parts of `calls` share.
 *
 * Threads: one.  Errors: what cannot be set up ends the program; a wrong answer is printed, and counts.
 */
#ifndef S3B_TESTS_FS_CALLS_ASK_H
#define S3B_TESTS_FS_CALLS_ASK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ME	 1001 /* users that are not root */
#define OTHER	 1002
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern int bad; /* 1: an answer was wrong */

/* `result` is a call's, with errno; `want` 0 or an errno. */
void	 expect(int want, int result, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 must(bool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Where file systems differ: two of one kind must not. */
void	 says(int result, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void	 become(uid_t);		/* for the calls that follow */
int	 closing(int fd);	/* as it was, and closed; errno stays */

#define TYPES	  7
#define DIRECTORY 1
#define CHAR	  4 /* /dev/null; the block device is none at all */
#define SYMLINK	  6
extern const char *const type_name[TYPES];
extern const mode_t type_mode[TYPES];	/* S_IFREG and so on */

int	 create(unsigned type, const char *path);
void	 made(unsigned type, const char *path);	/* or the program ends */
int	 destroy(const char *path);
struct stat look(const char *path);		/* lstat(2); zeros where there is nothing */
void	 tick(void);				/* until the clock that stamps files has gone on */
bool	 later(struct timespec, struct timespec);	/* is the second? */

/* ---- each.c ---- */
struct call {
	const char *name;
	int (*run)(const char *path);
	bool changes; /* something, so not on a read-only file system */
	bool creates; /* a name, so there must be none yet */
};
extern const struct call calls[];
extern const size_t ncalls;

int	 call_link_from(const char *path);
int	 call_link_to(const char *path);
int	 call_rename_from(const char *path);
int	 call_rename_to(const char *path);
void	 for_all_calls(int want, const char *path, const char *sentence);

/* ---- names.c, inodes.c: the parts, each in a directory of its own ---- */
extern char long_name[NAME_MAX + 2];	/* 255 bytes, once paths() has been asked */

void	 paths(void);
void	 creating(void);
void	 linking(void);
void	 renaming(void);
void	 sticky(void);
void	 permissions(void);
void	 modes(void);
void	 times(void);
void	 opening(void);
void	 attributes(void);
void	 flags(void);
void	 read_only(void);

#endif
