/* SPDX-License-Identifier: ISC */
/*
 * guard.h -- the last include of every file here: s3backerctl asks s3backerd and shows the answer;
 * it has no threads, no network and no keys.
 */
#ifndef S3B_CTL_GUARD_H
#define S3B_CTL_GUARD_H

#pragma GCC poison pthread_create curl_easy_init getaddrinfo conf_read_secrets
#pragma GCC poison system popen

#endif
