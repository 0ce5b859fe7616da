/* SPDX-License-Identifier: ISC */
/*
 * diskname.h -- the name of a disk and where its running files are.
 *
 * Process:  s3backerd, s3backerctl.   Threads: any.   Errors: 0 or -errno.
 *
 * A disk is named after its configuration file: the last part of its path, without ".conf".
 * /etc/s3backer.conf is the disk "s3backer", /etc/s3backer/mail.conf the disk "mail".  In runDir:
 *
 *	NAME.sock	control socket, 0600
 *	NAME.pid	process id of s3backerd; locked while it runs
 *	NAME.state	which configuration, mount point and mount token; key=value lines, 0600.
 *			With a cache file it lies beside that, as CACHEFILE.state, so that it
 *			survives a reboot as the cache does.
 */
#ifndef S3B_COMMON_DISKNAME_H
#define S3B_COMMON_DISKNAME_H

#define DISK_NAME_MAX	 64
#define DISK_RUN_DIR	 "/run/s3backer"
#define DISK_SOCK_SUFFIX ".sock"

struct disk_paths {
	char name[DISK_NAME_MAX];
	char sock[108];		/* what fits in a sockaddr_un */
	char pid[128];
	char state[1024];
};

/* -ENAMETOOLONG: name or directory do not fit.  cache_file may be NULL. */
int disk_paths_make(const char *config, const char *run_dir, const char *cache_file,
    struct disk_paths *ret_paths);

/*
 * Calls `each` with the path of every control socket in `run_dir`, in alphabetical order; stops
 * when it returns non-zero, and returns that.  -errno when the directory cannot be read.
 */
int disk_each_socket(const char *run_dir, int (*each)(const char *sock, void *arg), void *arg);

#endif
