/* SPDX-License-Identifier: ISC */
/*
 * keys.h -- says what requests are signed with: where the keys come from, never the secret.
 *
 * Process:  s3backerd.  Errors: -errno and one line for the user, which names what was tried.
 */
#ifndef S3B_SUPERVISOR_KEYS_H
#define S3B_SUPERVISOR_KEYS_H

struct storetool;
struct super;

/*
 * Asks the store tool.  *ret_text: "environment, key AKIA..., until 20261124T230000Z", or NULL when
 * the store needs none, or the configuration names the keys itself and there is nothing to tell.
 */
int	keys_ask(struct storetool *, char **ret_text, char **ret_error);
/* check-config: prints it as a comment; on failure why, to stderr. */
void	keys_print(struct super *);

#endif
