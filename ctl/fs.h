/* SPDX-License-Identifier: ISC */
/*
 * fs.h -- what lies on a disk, by blkid(8), and making a file system there.
 *
 * Process:  s3backerctl.   Threads: one.   Errors: 0 or -errno; what went wrong has been printed.
 */
#ifndef S3B_CTL_FS_H
#define S3B_CTL_FS_H

#include <stdbool.h>

struct fs_found {
	char	 type[32];	/* "" : nothing that blkid knows */
	char	 usage[32];	/* filesystem, crypto, raid, other */
	char	 label[128], uuid[64], table[16]; /* table: partition table */
	unsigned block;		/* the smallest unit that it reads; 0: not said */
	bool	 several;	/* traces of more than one thing */
};

int	fs_probe(const char *path, struct fs_found *ret_found);
/* "an ext4 file system (label mail, 6c1c...)" */
void	fs_describe(const struct fs_found *, char *buf, unsigned long len);

bool	fs_known(const char *type);	/* ext4, xfs, btrfs */
int	fs_make(const char *type, const char *dev);
int	fs_mount(const char *type, const char *dev, const char *dir, const char *options);

#endif
