/* SPDX-License-Identifier: ISC */
/*
 * mount.h -- the mount itself: checked before, made, watched, given up.
 *
 * The descriptor of /dev/fuse is opened here, given to mount(2), kept, and handed to one frontend
 * after the other; it is never cloned, because what a clone has read dies with the clone.
 *
 * Type and source are what /etc/fstab says: fuse.s3backerd and the configuration file, so that
 * mount(8) sees that an entry is mounted already.
 *
 * Errors:   0 or -errno, and one line for the user in *ret_error.
 */
#ifndef S3B_SUPERVISOR_MOUNT_H
#define S3B_SUPERVISOR_MOUNT_H

#include <stdbool.h>

struct super;

#define MOUNT_TYPE "fuse.s3backerd"

struct mount_entry {		/* one line of /proc/self/mountinfo */
	char	 dir[4096], source[4096], type[128];
	unsigned minor;		/* of its device number; the major one is 0 */
};

/* The topmost mount on exactly `dir`; -ENOENT: none. */
int	mount_find(const char *dir, struct mount_entry *ret_entry);
/* Is `dir` a directory to mount on?  Clears away what a dead s3backerd of `config` left there. */
int	mount_check_dir(const char *dir, const char *config, char **ret_error);
/* In a helper: exit code 0, or the errno of a mount that does not answer. */
int	mount_main_probe(const char *dir);
/* Opens /dev/fuse: early, so that its absence is found before anything is done. */
int	mount_open_fuse(int *ret_fd, char **ret_error);
int	mount_do(const char *dir, const char *config, int fuse_fd, bool read_only, char **ret_error);
/* At once and without asking; users of the disk get errors from then on. */
void	mount_detach(const char *dir);
/* False once the kernel has no use for the connection any more. */
bool	mount_alive(int fuse_fd);

#endif
