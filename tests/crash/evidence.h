/* SPDX-License-Identifier: ISC */
/*
 * evidence.h -- post-cut images and the check of one; see evidence.c.
 *
 * Threads: main only.  Errors: 0 or -errno; what is wrong with the disk goes to fail().
 */
#ifndef S3B_TESTS_CRASH_EVIDENCE_H
#define S3B_TESTS_CRASH_EVIDENCE_H

#include "tests/crash/powercut.h"

int evidence_take(const char *dir, const char *bucket, uint64_t seed); /* of the held forgetfs */
void evidence_check(const char *dir, const char *work, bool cold);

#endif
