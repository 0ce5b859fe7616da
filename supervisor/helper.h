/* SPDX-License-Identifier: ISC */
/*
 * helper.h -- what may block on the mount, done by a short-lived process.
 *
 * s3backerd must never wait for its own disk: a request of its own would hang with the frontend
 * that only s3backerd can replace.  So opening the file and unmounting are done by this program
 * again, with a hidden option, one at a time; it exits with the errno of what it tried.
 */
#ifndef S3B_SUPERVISOR_HELPER_H
#define S3B_SUPERVISOR_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct super;

/* In the helper itself: the exit code is 0 or an errno. */
int	helper_main_probe(const char *file);
int	helper_main_umount(const char *dir);

int	helper_start_probe(struct super *, uint64_t limit_us);
int	helper_start_umount(struct super *);
/* Could the program at `path` go on with the disk?  It finds the letter under its number. */
int	helper_start_trial(struct super *, const char *path, const char *const argv[], int letter);
void	helper_kill(struct super *);
/* Was it the helper that died?  Then what follows from it has been done. */
bool	helper_died(struct super *, pid_t, int wait_status);
/* Kills it when its time is up; returns when to look again. */
uint64_t helper_timers(struct super *, uint64_t now);

#endif
