/* SPDX-License-Identifier: ISC */
/*
 * token.h -- the mount token: one machine at a time.
 *
 * The object PREFIX + "s3backer-mounted" carries a number in a header; that is all the old program
 * looks at.  Its body begins like the old program's and goes on with lines of our own:
 *
 *	HOST\n  YYYYMMDDTHHMMSSZ\n  boot: ID\n  pid: N\n  instance: ID\n
 *
 *  T1 Somebody else's token: refused, with who, since when, and how to release it.
 *  T2 Ours after a crash is taken over without a question: its instance is the one in our state
 *     file, which lies beside the cache file, or in runDir (then it is of this boot).
 *  T3 The state file is written before the token, so there is no token that nobody knows.
 *  T4 readOnly mounts look and do not take.  sharedDiskMode shares 7fffffff and leaves it there.
 *     fence = off neither looks nor takes; fence = strong refuses a store that cannot create
 *     an object only if it is absent.
 *  T5 Changes left in the cache file at a stop: the token stays, and T2 lets the next start in.
 *  T6 A takeover (T2) keeps the number, so the number in the superblock of the cache file proves
 *     that nobody else had the disk since.  In all other cases it is a new one.
 *  T7 The lease that cachemgr keeps (cachemgr/lease.c) begins at the moment before the question.  None
 *     is kept of a token that is shared, nor without one.
 */
#ifndef S3B_SUPERVISOR_TOKEN_H
#define S3B_SUPERVISOR_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

struct ipc_state;
struct storetool;
struct super;

#define TOKEN_SHARED 0x7fffffffu

/* What the store says about a token. */
struct held {
	bool	 asked;		/* the store was; else the rest says nothing */
	bool	 present;
	uint32_t value;
	uint64_t looked_us;	/* CLOCK_BOOTTIME, before it was */
	char	 etag[160], host[256], since[64], boot[64], pid[24], instance[64];
};

/*
 * T1, of an answer that has the fields of token-get: somebody else's is refused before anything else is
 * said.  *ret_held is for token_acquire(), which asks itself if that is NULL, or `asked` false.
 */
int	token_look(const struct super *, const char *answer, struct held *ret_held, char **ret_error);
/* 0, or -errno and one line.  Fills s->token. */
int	token_acquire(struct super *, struct storetool *, const struct held *, char **ret_error);
/* What it takes to keep the lease: into the fresh segment. */
void	token_publish(const struct super *, struct ipc_state *);
/* Ours goes, and the state file with it.  Another's stays. */
int	token_drop(struct super *, struct storetool *, char **ret_error);
/* Who holds it: *ret_text. */
int	token_show(struct storetool *, char **ret_text, char **ret_error);
/* reset-mounted-flag: whoever holds it.  *ret_text: who did. */
int	token_reset(struct storetool *, char **ret_text, char **ret_error);

#endif
