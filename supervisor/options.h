/* SPDX-License-Identifier: ISC */
/*
 * options.h -- the command line of s3backerd.
 */
#ifndef S3B_SUPERVISOR_OPTIONS_H
#define S3B_SUPERVISOR_OPTIONS_H

#include "supervisor/super.h"

/*
 * One -o: several options, separated by commas; a backslash keeps the comma after it.  The text
 * is split in a copy that lives as long as the program.  0 or -ENOMEM.
 */
int	options_add_one(struct options *, const char *text);	/* text must live as long, too */
int	options_add(struct options *, const char *text);

#endif
