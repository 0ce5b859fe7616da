/* SPDX-License-Identifier: ISC */
/*
 * cred_ini.h -- the files ~/.aws/credentials and ~/.aws/config.
 *
 * Process:  the reader of credentials (cred_reader.h).  Threads: one at a time; no state.
 * Follows:  "Shared config and credentials files" of the AWS SDKs and Tools reference: sections in
 *           brackets, NAME = VALUE, comments that begin a line or follow a blank, and indented lines,
 *           which belong to the value above and are nothing of ours.
 * Owns:     the values; ini_free() wipes them, since some are secrets.
 */
#ifndef S3B_UPLOADER_CRED_INI_H
#define S3B_UPLOADER_CRED_INI_H

#include <stdbool.h>

struct ini;

/* Anything can be parsed: what is neither section nor assignment is skipped.  -ENOMEM. */
int	ini_parse(const char *text, struct ini **ret_ini);
void	ini_free(struct ini **);	/* NULL-safe; sets NULL */
bool	ini_has(const struct ini *, const char *section);
/* The last of several; names without regard to case.  NULL: not there. */
const char *ini_get(const struct ini *, const char *section, const char *name);

#endif
