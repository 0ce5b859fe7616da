/* SPDX-License-Identifier: ISC */
/*
 * credentials.h -- who signs: the key id, the secret, and perhaps a session token.
 *
 * Process:  uploader.
 * Threads:  these functions in the main thread.  Keys that can change (a file, a profile, a role) are
 *           looked for and renewed by a thread of their own, in time before they run out, and taken
 *           over between two turns of the loop: no transfer ever waits for them.
 * Who:      each uploader for itself.  A role's keys last for hours, so a pool of four asks its
 *           endpoint a few dozen times a day; in exchange no process depends on another one for
 *           its keys, and none but these has any.
 * Owns:     the strings; wiped by credentials_close().  A borrowed credential is good until the next
 *           turn of the main loop.
 * Errors:   -errno and one line for the user; never a part of a secret in it.
 */
#ifndef S3B_UPLOADER_CREDENTIALS_H
#define S3B_UPLOADER_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct cred_reader;
struct credentials;
struct loop;

struct credential {
	const char *id, *secret;
	const char *token;	/* NULL: none */
};

/* Are there files to be read, for which a reader is to be started before all else? */
bool	credentials_need_reader(const struct conf *);
/*
 * Waits for the first answer.  patient: without one it succeeds all the same, and keeps trying; for
 * a process that replaces one of a disk that runs.  The reader, which may be NULL, is borrowed.
 */
int	credentials_open(struct conf *, struct loop *, struct cred_reader *, bool patient,
	    struct credentials **ret_credentials, char **ret_error);
void	credentials_close(struct credentials **);	/* NULL-safe */
const struct credential *credentials_get(struct credentials *);	/* NULL: anonymous, or missing */
const char *credentials_missing(const struct credentials *);	/* why; NULL: they are there */
unsigned credentials_generation(const struct credentials *);	/* grows with every change */
/*
 * The store refuses them; sure: because they have run out or are not known.  Has them looked for
 * again, soon but not all the time.  False: nothing can change.
 */
bool	credentials_refused(struct credentials *, bool sure);
/* "source=... id=... expires=...", values percent-encoded. */
void	credentials_describe(const struct credentials *, char *buf, size_t size);

#endif
