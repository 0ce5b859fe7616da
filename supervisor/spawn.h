/* SPDX-License-Identifier: ISC */
/*
 * spawn.h -- starts role programs and other helpers: always fork and exec at once.
 *
 * A role gets one descriptor, ROLE_CTL_FD; the rest reaches it in HELLO, and every other
 * descriptor here is close-on-exec.  It gets SIGTERM when s3backerd dies (not cachemgr, to which
 * that means "a successor goes on": it sees the socket end and commits; nor anyone where systemd may
 * start another s3backerd, notify.h), is marked as a process
 * that the kernel's write-back may depend on (PR_SET_IO_FLUSHER), and inherits the environment
 * without the variables that hold keys; uploaders alone keep the AWS ones.
 *
 * Errors:   0 or -errno.
 */
#ifndef S3B_SUPERVISOR_SPAWN_H
#define S3B_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct options;
struct super;
struct role;

/* "frontend" -> the program's path: beside this one, else S3B_LIBEXEC. */
int	spawn_find_program(const char *role, char *buf, size_t len);
/* All three are there?  Else -ENOENT and the missing one in buf. */
int	spawn_find_all(char *buf, size_t len);

/*
 * The bare start: program with its end of a socketpair as ROLE_CTL_FD.  ret_err_fd NULL: it shares
 * our stderr.
 */
int	spawn_program(const char *role, int *ret_sock, int *ret_err_fd, pid_t *ret_pid);

/* Starts role number `proc` and sends HELLO.  The row in the process table is begun anew. */
int	spawn_role(struct super *, struct role *);

/* This program again, as a helper of its own: argv[0] is filled in. */
int	spawn_self(const char *const argv[], pid_t *ret_pid);

/* Where this program is, or its successor after an update; noted first thing in main(). */
int	spawn_remember_path(void);
const char *spawn_own_path(void);
/* A program that gets `keep` under its number, and its stdout and stderr as `out`. */
int	spawn_trial(const char *path, const char *const argv[], int keep, int out, pid_t *ret_pid);

const char *spawn_role_program(uint32_t proc);	/* "frontend", "cachemgr", "uploader" */

#endif
