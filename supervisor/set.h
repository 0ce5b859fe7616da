/* SPDX-License-Identifier: ISC */
/*
 * set.h -- `s3backerctl set`: a key changed while the disk runs.
 */
#ifndef S3B_SUPERVISOR_SET_H
#define S3B_SUPERVISOR_SET_H

struct ipc_msg;
struct super;

enum { SET_HERE, SET_BY_CACHEMGR };

/*
 * SET_HERE: done, *ret_text says what follows, or is NULL.  SET_BY_CACHEMGR: *ret_msg is to be
 * sent.  -errno: *ret_text says why not.  *ret_text is to be freed.
 */
int	set_key(struct super *, const char *key, const char *value, struct ipc_msg *ret_msg,
	    char **ret_text);

/* What of the configuration the segment knows: when it is made, and after a change. */
void	set_publish(const struct super *);
void	set_heal_pool(const struct super *);	/* when an uploader has died */

/* A change made under the s3backerd before us; ours from now on. */
int	set_again(struct super *, const char *assignment);
void	set_forget(struct super *);

#endif
