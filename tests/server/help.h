/* SPDX-License-Identifier: ISC */
/*
 * help.h -- the text of --help.
 */
#ifndef S3TESTD_HELP_H
#define S3TESTD_HELP_H

extern const char help_text[];

#endif
