/* SPDX-License-Identifier: ISC */
/*
 * synthetic.h -- millions of objects that take no memory.
 *
 * They exist in every bucket under the keys PREFIX%08x of blocks 0, STEP, 2 STEP ..., all with the same
 * body, until they are deleted; a PUT replaces one as it would a real one.  What is kept is one bit per
 * block: whether it is gone.
 *
 * Process:  s3testd.  Set up before the threads start.  The bits are atomic; the caller's shard lock
 *           orders them with the real object of the same key.
 */
#ifndef S3TESTD_SYNTHETIC_H
#define S3TESTD_SYNTHETIC_H

#include <stdbool.h>

struct object;

/* N[:STEP[:BYTES[:PREFIX]]]; -EINVAL: it is not. */
int synthetic_set(const char *);
/* Without a reference of its own: it is never freed.  NULL: no such, or gone. */
struct object *synthetic_get(const char *key);
void synthetic_delete(const char *key); /* or replaced: not to come back when that is deleted */
/* The first key >= `from` (> if !inclusive), allocated; NULL: no more. */
char *synthetic_next(const char *from, bool inclusive);

#endif
