/* SPDX-License-Identifier: ISC */
/*
 * cred_reader.h -- files that only who started the disk may read: a process beside each uploader.
 *
 * The uploader gives its user id and its privileges up; ~/.aws/credentials is for its owner alone,
 * and is replaced by rename when keys change, so that a descriptor opened early would show the old
 * ones for ever.  Therefore the uploader leaves behind, before it is confined, a process that
 * remains who it was.  It reads files, runs credential_process, and does nothing else: it never
 * touches the network, and takes no names of files from the uploader, only what is asked for and the
 * name of a profile.  Of the shared files it hands over the keys of one profile, not the others.
 *
 *	uploader (confined)  --enum cred_ask, name-->  reader (as started)
 *			     <--error, text----------
 *
 * Process:  both ends.  Threads: cred_reader_start() before there are any; then any, in turn.
 * Owns:     the socket and the child, which ends with the uploader in any case: end of file, and
 *           SIGKILL by the kernel at its parent's death.
 * Errors:   -errno, and the line for the user in the buffer.  -ENOENT: not configured.
 *           -EPIPE: the reader is gone.  -ECANCELED: stop_fd became readable.
 */
#ifndef S3B_UPLOADER_CRED_READER_H
#define S3B_UPLOADER_CRED_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct cred_reader;

#define CRED_TEXT_MAX 65536	/* of an answer */
#define CRED_NAME_MAX 256

enum cred_ask {
	CRED_ASK_BEGIN,		/* forget which files were read: a new search begins */
	CRED_ASK_CHANGED,	/* -ESTALE: one of them is not what it was */
	CRED_ASK_ACCESS_FILE,	/* accessFile: ID:KEY */
	CRED_ASK_PROFILE,	/* of the shared files: NAME=VALUE lines, see cred_files.c */
	CRED_ASK_WEB_TOKEN,	/* web_identity_token_file of a profile; "": of the environment */
	CRED_ASK_AUTH_TOKEN,	/* AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE */
	CRED_ASK_PROCESS	/* output of credential_process of a profile */
};

struct cred_question {
	uint32_t ask;
	uint32_t seq;		/* comes back in the answer */
	char	 name[CRED_NAME_MAX];
};

struct cred_answer {
	int32_t	 error;
	uint32_t seq;
	uint32_t len;		/* of the text that follows */
};

int	cred_reader_start(const struct conf *, struct cred_reader **ret_reader);
void	cred_reader_end(struct cred_reader **);	/* NULL-safe; waits for it */
/* Length of the text, NUL-terminated, or -errno and a line for the user.  size: CRED_TEXT_MAX. */
ssize_t	cred_reader_ask(struct cred_reader *, enum cred_ask, const char *name, int stop_fd,
	    char *buf, size_t size);

#endif
