/* SPDX-License-Identifier: ISC */
/*
 * resize.h -- another size for a disk.
 *
 * Process:  s3backerd, typed by a user or exec'd by s3backerctl; and the running one (cold.h).
 *
 * The size is recorded in headers of block 0 (BUCKET-FORMAT 6.1), which are written with it; so the
 * old program sees it, too.  A disk whose first block is zeros records none: then the configuration
 * must say it.
 *
 *  N1 Growing writes the headers and nothing else.
 *  N2 Shrinking is refused while there is any block behind the new end; --force deletes those first.
 *  N3 A running disk can only grow: a new segment is made, as for a restart, and block 0 is written
 *     while nobody else writes.  The mount stays.
 */
#ifndef S3B_SUPERVISOR_RESIZE_H
#define S3B_SUPERVISOR_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

struct super;

/* A disk that does not run; opt.args[0] is the new size.  Exit code. */
int	resize_disk(struct super *);

/* "20g" as bytes; -EINVAL and *ret_error when this disk cannot have it. */
int	resize_parse(const char *text, uint32_t block_size, uint64_t *ret_size, char **ret_error);

/*
 * Block 0 once more, with s->size in its headers.  s has vault and token; nobody else writes.
 * *ret_recorded: there is a block 0.  -ETIMEDOUT after limit_us.
 */
int	resize_stamp(struct super *, uint64_t limit_us, bool *ret_recorded, char **ret_error);

/* At the end of a restart: s->resize_to becomes the size, or all stays and who asked is told. */
void	resize_grow(struct super *);

#endif
