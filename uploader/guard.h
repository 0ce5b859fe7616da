/* SPDX-License-Identifier: ISC */
/*
 * guard.h -- included last by every file of the uploader: what does not compile here.
 *
 * The uploader talks to the store and to cachemgr.  It never mounts, and it starts no process but the
 * one that reads credentials (cred_reader.c, cred_run.c), which therefore may say so.
 */
#ifndef S3B_UPLOADER_GUARD_H
#define S3B_UPLOADER_GUARD_H

#pragma GCC poison vfork system popen fuse_session_new gets
#ifndef S3B_UPLOADER_MAY_FORK
#pragma GCC poison fork
#endif

#endif
