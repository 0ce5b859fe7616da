/* SPDX-License-Identifier: ISC */
/*
 * guard.h -- the last include of every file here: what the supervisor must not use does not
 * compile.  It has no threads, because it forks; and no network, because it holds the mount.
 */
#ifndef S3B_SUPERVISOR_GUARD_H
#define S3B_SUPERVISOR_GUARD_H

#pragma GCC poison pthread_create thrd_create curl_easy_init curl_multi_init getaddrinfo
#pragma GCC poison system popen

#endif
