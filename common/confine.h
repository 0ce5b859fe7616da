/* SPDX-License-Identifier: ISC */
/*
 * confine.h -- takes from a role what it does not need for its work.
 *
 * Process:  frontend, cachemgr, uploader; once each, between opening what only root may open and
 *           role_ready().  Descriptors that are open stay open.
 * Threads:  before threads start.
 * Errors:   0 or -errno, and *ret_error (to be freed) says in one line what to change; the caller
 *           must not go on then.  ret_error may be NULL.
 *
 *	role		user			capabilities	network		files to open
 *	frontend	conf->user		none		none		none
 *	cachemgr	as it was started	none		none		none
 *	uploader	conf->user		none		TCP, UDP out	certificates, names; its store
 *
 * and for all: no new privileges, no core dumps, no other process to start, signal, look into, no
 * mounts, only the system calls they need (seccomp.h), only these files (landlock.h).  README.md of
 * this directory has the whole table.  Where the kernel lacks a part, the rest holds, and the log
 * says so.
 *
 * cachemgr keeps its user id because the cache file is that user's; without capabilities root is
 * an owner of files and nothing more.  A process that was not started by root keeps its user id.
 */
#ifndef S3B_COMMON_CONFINE_H
#define S3B_COMMON_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

struct conf;

/* The slots' bytes: of this descriptor an uploader may read and write these alone. */
struct confine_slots {
	int	 fd;
	uint64_t from, to;
};

/* slots: of an uploader with a cache, else NULL. */
int confine_role(const char *role, const struct conf *);
int confine_role_why(const char *role, const struct conf *, const struct confine_slots *slots,
    char **ret_error);

/*
 * A file that the uploader may read was replaced, say /etc/resolv.conf, and a new process has to be
 * started to read the new one.  NULL: none.  A few stat(2); for every few seconds.
 */
const char *confine_stale(void);

/*
 * Who the frontend and the uploaders run as: conf->user, else s3backer if that user exists, else
 * whoever we are.  -ENOENT: conf->user does not exist.
 */
int confine_user(const struct conf *, uid_t *ret_uid, gid_t *ret_gid, char **ret_error);

#endif
