/* SPDX-License-Identifier: ISC */
/*
 * volume.h -- the disk as the frontend sees it: its size, its cache, and what all threads share.
 *
 * Process:  frontend.      Threads:  made before they start; afterwards read-only but for atomics.
 * Owns:     the mapping of the cache (read-only if it is a file) and the area of zeros.
 * Errors:   0 or -errno; volume_open() has then told the supervisor nothing yet.
 */
#ifndef S3B_FRONTEND_VOLUME_H
#define S3B_FRONTEND_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ipc/slot_table.h"

#define FE_MAX_IO     (1u << 20)	/* bytes in one FUSE request, at most */
#define FE_FILL_LOCKS 64
#define FE_INO_FILE   2
#define FE_INO_STATS  3

struct role_env;
struct channel;
struct throttle;
struct fuse_session;

struct volume {
	struct role_env	   *env;
	struct slot_table   table;
	struct fuse_session *se;
	struct channel	   *channel;	/* messages to and from cachemgr */
	struct throttle	   *throttle;	/* replies that wait for their time */
	int		    cache_fd;	/* bytes of the slots; borrowed from env */
	const char	   *map;	/* the same, read-only: replies are sent from here */
	char		   *memory;	/* the same, writable, of a cache in memory; else NULL */
	uint64_t	    map_len;
	const char	   *zeros;	/* FE_MAX_IO bytes */
	uint64_t	    size;	/* bytes of the disk */
	bool		    read_only;	/* by configuration; see volume_refuses_writes() */
	bool		    shared;	/* other machines write, too: ask for everything */
	bool		    direct_io;	/* the kernel keeps no pages of the file */
	uid_t		    uid;
	gid_t		    gid;
	mode_t		    mode;
	_Atomic int64_t	    mtime;	/* seconds: of the last write */
	_Atomic int	    ended;	/* the mount is gone: leave */
	_Atomic int	    quit;	/* the threads are asked to leave */
	pthread_rwlock_t    fill_lock[FE_FILL_LOCKS]; /* see hit.c */
};

int  volume_open(struct volume *, struct role_env *);
void volume_close(struct volume *);	/* safe on a half-open volume */

/* 0, or the error with which writes are refused now: a read-only or fenced disk. */
int  volume_refuses_writes(const struct volume *);
void volume_stat(const struct volume *, uint64_t ino, struct stat *ret_st);

/*
 * SEEK_DATA and SEEK_HOLE.  What lies in no slot and is known to be absent from the bucket is a
 * hole.  Never calls data a hole; after LOOK_BLOCKS blocks it calls the rest data, which is allowed.
 */
int  volume_seek(const struct volume *, uint64_t off, int whence, uint64_t *ret_off);

static inline bool
volume_in_cache(const struct volume *v, const void *p)
{
	return ((const char *)p >= v->map && (const char *)p < v->map + v->map_len);
}

/* Rings cachemgr at once. */
void volume_ring_cachemgr(const struct volume *);

#endif
