/* SPDX-License-Identifier: ISC */
/*
 * forgetfs.h -- a file system that forgets what was not synced; README.md in tests/crash.
 *
 * Process:  forgetfs, in the foreground until it is unmounted.
 * Threads:  those of libfuse, and one per control connection.  One lock (ff.lock) for everything;
 *           `changed` is signalled when held, dead or the trigger change.
 *
 * States:   running --trigger or `hold`--> held: what would change the disk waits, reads go on
 *           held or running --`cut`--> dead: the image is what the power cut left; everything fails
 *           with EIO, what was waiting as well, until `revive`.
 */
#ifndef S3B_TESTS_FORGETFS_FORGETFS_H
#define S3B_TESTS_FORGETFS_FORGETFS_H

#include <pthread.h>

#include "tests/forgetfs/image.h"

struct fuse_session;

enum ff_kind {
	FF_READ,
	FF_WRITE,
	FF_META,
	FF_SYNC,
	FF_KINDS
};

struct ff_trigger {
	bool armed;
	bool syncs;    /* count syncs only, else writes and syncs */
	bool cut;      /* else hold */
	uint64_t left; /* the cut falls before this many more */
	uint64_t seed;
	enum ff_mode mode;
};

struct ff_faults {
	bool enospc, readonly;
	bool lie;		    /* syncs succeed and do nothing */
	unsigned percent[FF_KINDS]; /* EIO this often */
	uint64_t rng;
};

struct forgetfs {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct image image;
	bool held, dead;
	struct ff_trigger trigger;
	struct ff_faults faults;
	uint64_t count[FF_KINDS], failed; /* operations since the start */
	uint64_t mark[FF_KINDS];
	struct fuse_session *session;
};

extern struct forgetfs ff;
extern const struct fuse_lowlevel_ops forgetfs_ops;

/* With the lock. */
void ff_cut(uint64_t seed, enum ff_mode);
uint64_t ff_random(void); /* of the faults */
/* Without it: drops what the kernel has cached, so that the next open sees the image. */
void ff_drop_kernel_caches(void);

int control_start(const char *socket_path);

#endif
