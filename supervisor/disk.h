/* SPDX-License-Identifier: ISC */
/*
 * disk.h -- the life of a disk, from the first question to the store to the last file removed.
 */
#ifndef S3B_SUPERVISOR_DISK_H
#define S3B_SUPERVISOR_DISK_H

#include <stdbool.h>

struct held;
struct storetool;
struct super;

/* Asks the store, makes the segment, runs the loop.  0, or -errno with super_fail() called. */
int	disk_run(struct super *);
/* The same for a disk that runs already: phase, roles and the rest have been taken over. */
int	disk_go_on(struct super *, bool by_exec);
/* The mount lives, but there is no segment any more: cold.h. */
int	disk_go_on_cold(struct super *);
/* Its segment, whose descriptor this takes, and the role table. */
int	disk_attach(struct super *, int shm_fd);
/* Undoes whatever was begun, token included; safe after any failure.  Tells who waits. */
void	disk_end(struct super *);

/* ---- parts of it, for the commands on a disk that does not run ------------------------------ */

/* The uploaders' configuration goes where it can be kept, and out of everything else. */
int	disk_lock_up_secrets(struct super *);
/* What the bucket and the configuration say: s->size, geo.block_size; and tells the uploaders. */
int	disk_settle_sizes(struct super *, struct storetool *, struct held *, char **ret_error);
/* The key object in the answer to `detect`, if there is one, for the uploaders. */
int	disk_keep_key(struct super *, const char *answer);
/* With the token: the key object of a new disk with AES-256-GCM; for all others nothing. */
int	disk_make_key(struct super *, struct storetool *, char **ret_error);

#endif
