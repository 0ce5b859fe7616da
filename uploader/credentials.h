/* SPDX-License-Identifier: ISC */
/*
 * credentials.h -- who signs: the key id, the secret, and perhaps a session token.
 *
 * Process:  uploader.  Threads: main thread only.
 * Owns:     the strings; wiped by credentials_close().  A borrowed credential is good until the next
 *           turn of the main loop.
 * Errors:   -errno and one line for the user; never a part of a secret in it.
 * Seam:     sources whose keys run out (profiles, web identity, ECS, EC2) give a new credential when
 *           asked after credentials_expired().
 */
#ifndef S3B_UPLOADER_CREDENTIALS_H
#define S3B_UPLOADER_CREDENTIALS_H

struct conf;
struct credentials;

struct credential {
	char *id, *secret;
	char *token;		/* NULL: none */
};

int	credentials_open(struct conf *, struct credentials **ret_credentials, char **ret_error);
void	credentials_close(struct credentials **);
const struct credential *credentials_get(struct credentials *);	/* NULL: anonymous */
/* The store said that they have run out; 0: there are newer ones now. */
int	credentials_expired(struct credentials *);

#endif
