/* SPDX-License-Identifier: ISC */
/*
 * gate.h -- gate_enter() before and gate_leave() after an operation takes effect; both with ff.lock.
 *
 * Errors: 0 or a positive errno, as libfuse wants it.
 */
#ifndef S3B_TESTS_FORGETFS_GATE_H
#define S3B_TESTS_FORGETFS_GATE_H

#include "tests/forgetfs/forgetfs.h"

int gate_enter(enum ff_kind);
int gate_leave(enum ff_kind);

#endif
