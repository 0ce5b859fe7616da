/* SPDX-License-Identifier: ISC */
/*
 * askpass.h -- asks for the password of a disk.
 *
 * Process:  s3backerd, in the process that the user has started: it still has his terminal.
 * How:      on the terminal, without echo.  Where there is none, as in a unit or in mount(8) at boot,
 *           systemd-ask-password brings the question to whoever can answer: the console at boot, a
 *           desktop, systemd-tty-ask-password-agent(1).
 * Errors:   -ENOKEY: nobody could be asked; -ETIMEDOUT, -ECANCELED: nobody answered.  A line says what
 *           to do.
 */
#ifndef S3B_SUPERVISOR_ASKPASS_H
#define S3B_SUPERVISOR_ASKPASS_H

#define ASKPASS_MAX 1024	/* with its NUL, as in the format */

/* `disk` is for the question: the bucket. */
int	askpass(const char *disk, char **ret_password, char **ret_error);

#endif
