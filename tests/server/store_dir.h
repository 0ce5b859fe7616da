/* SPDX-License-Identifier: ISC */
/*
 * store_dir.h -- objects as files: DIR/BUCKET/NAME.GENERATION and a sidecar DIR/BUCKET/NAME.meta.
 *
 * NAME is the percent-encoded key, or "=" and its SHA-256 when that is too long.  The sidecar names
 * the body's file; renaming the sidecar into place is the commit, so after a kill each key is its
 * old or its new version.  Bodies without a sidecar are removed at the next start.  Nothing is
 * synced: this survives the process, not the machine.
 *
 * Process:  s3testd.  The caller serialises calls for one key (the shard lock), except _write.
 * Errors:   0 or -errno.
 */
#ifndef S3TESTD_STORE_DIR_H
#define S3TESTD_STORE_DIR_H

struct object;

int store_dir_bucket(const char *dir, const char *bucket);
/* Write the body to a file of its own and set object->path; the object then needs no memory. */
int store_dir_write(const char *dir, const char *bucket, const char *key, struct object *);
int store_dir_commit(const char *dir, const char *bucket, const char *key, const struct object *);
int store_dir_remove(const char *dir, const char *bucket, const char *key);
/* Call back for every object found; takes ownership of the object, not of the names. */
int store_dir_load(
    const char *dir, int (*fn)(const char *bucket, const char *key, struct object *));

#endif
