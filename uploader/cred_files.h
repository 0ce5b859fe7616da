/* SPDX-License-Identifier: ISC */
/*
 * cred_files.h -- what the reader of credentials does: the files themselves, and the commands.
 *
 * Process:  the reader (cred_reader.h).  Threads: none.
 * Errors:   length of the text, or -errno and a line for the user in its place.
 */
#ifndef S3B_UPLOADER_CRED_FILES_H
#define S3B_UPLOADER_CRED_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define CRED_FILES_MAX 8

struct conf;

struct cred_watched {
	char	path[PATH_MAX];
	bool	there;
	dev_t	dev;
	ino_t	ino;
	off_t	size;
	struct timespec mtime, ctime;
};

struct cred_files {
	const struct conf  *conf;
	char		    credentials[PATH_MAX], config[PATH_MAX]; /* the shared files */
	struct cred_watched watched[CRED_FILES_MAX];
	unsigned	    nwatched;
};

void	cred_files_init(struct cred_files *, const struct conf *);
void	cred_files_forget(struct cred_files *);
bool	cred_files_changed(const struct cred_files *);

ssize_t	cred_files_access(struct cred_files *, char *buf, size_t size);
ssize_t	cred_files_profile(struct cred_files *, const char *name, char *buf, size_t size);
ssize_t	cred_files_web_token(struct cred_files *, const char *profile, char *buf, size_t size);
ssize_t	cred_files_auth_token(struct cred_files *, char *buf, size_t size);
ssize_t	cred_files_process(struct cred_files *, const char *profile, char *buf, size_t size);

/*
 * cred_run.c.  Runs `command` by sh as `uid` (if we may) with an empty input, and returns what it
 * writes.  It gets CRED_RUN_LIMIT_S seconds, and its whole process group ends with it.
 */
#define CRED_RUN_LIMIT_S 60
ssize_t	cred_run(const char *command, uid_t uid, char *buf, size_t size);

#endif
