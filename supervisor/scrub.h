/* SPDX-License-Identifier: ISC */
/*
 * scrub.h -- the scrub that is under way, and what the last one found.
 *
 * cachemgr checks a window of blocks at a time (its scrub.c); the rest is kept here: which windows are
 * asked for, what was bad.  So a scrub goes on over the death of any role, and over a restart of this
 * program, which hands the struct on as a part of the letter.  It ends with the disk.
 *
 * It belongs to the disk and not to the one who asked: he may leave, and another may come to watch.
 */
#ifndef S3B_SUPERVISOR_SCRUB_H
#define S3B_SUPERVISOR_SCRUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct client;
struct ipc_msg;
struct super;

#define SCRUB_WINDOWS	4
#define SCRUB_LIST_MAX	1000	/* bad blocks that are named; further ones are counted */

struct scrub_bad {
	uint32_t block;
	bool	 missing, repaired;
};

struct scrub {
	bool	 on, ever;		/* under way; there is a last one */
	bool	 repair, cancelled;
	uint64_t next;			/* first block that no window was asked for */
	struct {
		uint64_t first;
		uint32_t count;		/* 0: free */
		uint64_t again_us;	/* not before: cachemgr had no place */
	} window[SCRUB_WINDOWS];
	uint64_t done, read;		/* blocks looked at; objects read */
	uint64_t nbad, nmissing, nrepaired;
	struct scrub_bad *bad;		/* [min(nbad, SCRUB_LIST_MAX)] */
	uint64_t began_us, ended_us;	/* monotonic */
};

void	scrub_op(struct client *, json_t *req);		/* the command */
uint64_t scrub_timers(struct super *, uint64_t now);	/* asks for the next windows */
/* The DONE of a CHECK; s->dialogue has both messages. */
void	scrub_window_done(struct super *, void *unused, int status);
json_t *scrub_progress(const struct super *);		/* members of a progress line */
json_t *scrub_json(const struct super *, bool list);	/* NULL: there never was one */
json_t *scrub_letter(const struct super *);
void	scrub_read_letter(struct super *, json_t *);
void	scrub_free(struct super *);

#endif
