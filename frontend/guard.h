/* SPDX-License-Identifier: ISC */
/*
 * guard.h -- what the frontend may not use: included last by every file in this directory.
 *
 * The frontend has no network and no keys, and never maps the cache for writing: a full or broken
 * disk under a writable mapping is SIGBUS, under pwrite(2) it is an error number.
 */
#ifndef S3B_FRONTEND_GUARD_H
#define S3B_FRONTEND_GUARD_H

#ifdef CURLINC_CURL_H
#error "no network in the frontend; ask cachemgr for the block"
#endif
#pragma GCC poison socket connect system popen getaddrinfo

#endif
