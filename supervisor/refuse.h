/* SPDX-License-Identifier: ISC */
/*
 * refuse.h -- an error and the line that explains it, in one return statement.
 */
#ifndef S3B_SUPERVISOR_REFUSE_H
#define S3B_SUPERVISOR_REFUSE_H

/* Returns `err`; the line is the caller's, NULL without memory. */
int	refuse(int err, char **ret_error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
