/* SPDX-License-Identifier: ISC */
/*
 * guard.h -- included last by every file of the uploader: what does not compile here.
 *
 * The uploader talks to the store and to cachemgr.  It never mounts, never forks, and never reads a
 * file of keys behind the back of credentials.c.
 */
#ifndef S3B_UPLOADER_GUARD_H
#define S3B_UPLOADER_GUARD_H

#pragma GCC poison fork vfork system popen fuse_session_new gets

#endif
