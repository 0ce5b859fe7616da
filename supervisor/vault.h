/* SPDX-License-Identifier: ISC */
/*
 * vault.h -- the one place in s3backerd where the keys are, for as long as the disk runs.
 *
 * A new uploader needs them, so they cannot be forgotten; here they are locked into memory, left
 * out of core dumps and wiped at the end.  Errors: 0 or -errno.
 */
#ifndef S3B_SUPERVISOR_VAULT_H
#define S3B_SUPERVISOR_VAULT_H

#include <stddef.h>

struct vault;

/* Copies `text`, which the caller then wipes. */
int	vault_open(const char *text, size_t len, struct vault **ret_vault);
void	vault_close(struct vault **);			/* NULL-safe; sets NULL */
const char *vault_text(const struct vault *, size_t *ret_len);
/* A further line of configuration: later lines win.  -ENOSPC after very many. */
int	vault_append(struct vault *, const char *line);

#endif
