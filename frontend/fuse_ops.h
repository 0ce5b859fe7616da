/* SPDX-License-Identifier: ISC */
/*
 * fuse_ops.h -- what the kernel may ask: one directory with the disk's file and the stats file.
 *
 * Process:  frontend.      Threads:  FUSE threads, whose lane is fuse_ops_lane.
 * Userdata: struct volume.
 */
#ifndef S3B_FRONTEND_FUSE_OPS_H
#define S3B_FRONTEND_FUSE_OPS_H

struct fuse_lowlevel_ops;
struct lane;

extern const struct fuse_lowlevel_ops fuse_ops;
extern _Thread_local struct lane *fuse_ops_lane;

#endif
