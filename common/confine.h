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
 *	role		user			capabilities	new privileges	core dumps
 *	frontend	conf->user		none		never		never
 *	uploader	conf->user		none		never		never
 *	cachemgr	as it was started	none		never		never
 *
 * cachemgr keeps its user id because the cache file is that user's; without capabilities root is
 * an owner of files and nothing more.  A process that was not started by root keeps its user id.
 */
#ifndef S3B_COMMON_CONFINE_H
#define S3B_COMMON_CONFINE_H

#include <sys/types.h>

struct conf;

int confine_role(const char *role, const struct conf *);
int confine_role_why(const char *role, const struct conf *, char **ret_error);

/*
 * Who the frontend and the uploaders run as: conf->user, else s3backer if that user exists, else
 * whoever we are.  -ENOENT: conf->user does not exist.
 */
int confine_user(const struct conf *, uid_t *ret_uid, gid_t *ret_gid, char **ret_error);

#endif
