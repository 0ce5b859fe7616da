/* SPDX-License-Identifier: ISC */
/*
 * hugemap.h -- a file mapped so that its huge pages, if it has any, can be mapped as such.
 *
 * Process:  frontend, cachemgr (the cache in memory).   Threads: any; no state.
 * Errors:   0 or -errno; nothing is mapped then.
 */
#ifndef S3B_COMMON_HUGEMAP_H
#define S3B_COMMON_HUGEMAP_H

#include <stddef.h>

#define HUGE_SHIFT 21 /* x86-64, and arm64 with pages of 4 KiB; another size makes no difference */
#define HUGE_BYTES (1u << HUGE_SHIFT)

/* mmap(2) of the whole file, shared; the address is a multiple of HUGE_BYTES. */
int hugemap(int fd, size_t len, int prot, void **ret_map);

#endif
